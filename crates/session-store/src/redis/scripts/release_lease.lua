-- ARGV: key, holder.
local key = prefix .. 'l:' .. ARGV[1]
if redis.call('GET', key) == ARGV[2] then return redis.call('DEL', key) end
return 0
