-- ARGV: name. The handle's session, payload, expiry and mark, then what it leads to: version,
-- payload, expiry, reason of its end.
local handle = redis.call('HMGET', handle_key(ARGV[1]), 's', 'd', 'e', 'm')
if not handle[3] then return false end
local session = { false, false, false, false }
if handle[1] ~= '' then
  session = redis.call('HMGET', session_key(handle[1]), 'v', 'd', 'e', 'x')
end
return {
  handle[1], handle[2], handle[3], handle[4],
  session[1], session[2], session[3], session[4],
}
