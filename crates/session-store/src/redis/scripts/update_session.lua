-- ARGV: operation, id, version, sealed, expires_at, purge_at. 1: written, now or by this
-- call's own first try; 0: somebody else wrote, or it ended or is not there.
local operation, id, version, sealed, expires_at, purge_at = unpack(ARGV)
local key = session_key(id)
local found, ended, writer = unpack(redis.call('HMGET', key, 'v', 'x', 'w'))
if not found or ended then return 0 end
if writer == operation then return 1 end
if found ~= version then return 0 end
redis.call('HSET', key, 'd', sealed, 'e', expires_at, 'w', operation)
redis.call('HINCRBY', key, 'v', 1)
local milliseconds = time_to_live(purge_at)
redis.call('PEXPIRE', key, milliseconds)
redis.call('ZADD', live, expires_at, id)
keep(live, milliseconds)
redis.call('ZADD', purge_sessions, purge_at, id)
keep(purge_sessions, milliseconds)
local subject, provider_session = unpack(redis.call('HMGET', key, 'u', 'p'))
for _, index in ipairs(indexes(subject, provider_session)) do keep(index, milliseconds) end
return 1
