-- ARGV: operation, name, mark, now. First of the answer: 0 unknown, 1 taken by this call (or
-- by its own first try), 2 taken before, 3 lapsed; then the handle.
local operation, name, mark, now = unpack(ARGV)
local key = handle_key(name)
local session, sealed, expires_at, taken, taker =
  unpack(redis.call('HMGET', key, 's', 'd', 'e', 'm', 't'))
if not expires_at then return { 0, false, false, false, false } end
if taken then
  if taker == operation then return { 1, session, sealed, expires_at, false } end
  return { 2, session, sealed, expires_at, taken }
end
if tonumber(expires_at) <= tonumber(now) then return { 3, false, false, false, false } end
redis.call('HSET', key, 'm', mark, 't', operation)
return { 1, session, sealed, expires_at, false }
