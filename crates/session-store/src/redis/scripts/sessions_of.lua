-- ARGV: index ('u:…' or 'p:…'). Its live sessions; those that are gone leave it.
local index = prefix .. 'i:' .. ARGV[1]
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', index)) do
  if redis.call('EXISTS', session_key(id)) == 1 then
    found[#found + 1] = id
  else
    redis.pcall('SREM', index, id)
  end
end
return found
