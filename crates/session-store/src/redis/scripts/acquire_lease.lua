-- ARGV: key, holder, milliseconds. Redis measures the time itself: a companion whose clock is
-- wrong can neither steal a lease nor hold one for ever.
local key = prefix .. 'l:' .. ARGV[1]
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[2] then return 0 end
if tonumber(ARGV[3]) > 0 then
  redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
else
  redis.call('DEL', key)
end
return 1
