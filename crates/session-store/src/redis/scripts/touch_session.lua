-- ARGV: id, expires_at, purge_at. Moves the expiry of a live session, of no other.
local id, expires_at, purge_at = unpack(ARGV)
local key = session_key(id)
local found, ended, subject, provider_session = unpack(redis.call('HMGET', key, 'v', 'x', 'u', 'p'))
if not found or ended then return 0 end
redis.call('HSET', key, 'e', expires_at)
local milliseconds = time_to_live(purge_at)
redis.call('PEXPIRE', key, milliseconds)
redis.call('ZADD', live, expires_at, id)
keep(live, milliseconds)
redis.call('ZADD', purge_sessions, purge_at, id)
keep(purge_sessions, milliseconds)
for _, index in ipairs(indexes(subject, provider_session)) do keep(index, milliseconds) end
return 1
