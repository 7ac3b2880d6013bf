-- ARGV: operation, id, reason, remember_until, channel, notice. Gives version, payload and
-- expiry as they were, or nothing if it had ended before or is unknown.
local operation, id, reason, remember_until, channel, notice = unpack(ARGV)
local key = session_key(id)
local version, sealed, expires_at, ended, subject, provider_session, writer =
  unpack(redis.call('HMGET', key, 'v', 'd', 'e', 'x', 'u', 'p', 'w'))
if not version then return false end
local undone = prefix .. 'o:' .. operation
if ended then
  -- This call's own first try, whose answer was lost: who ends a session must learn what is
  -- to be revoked elsewhere.
  if writer ~= operation then return false end
  return { version, redis.call('GET', undone) or '', expires_at }
end
-- What frees memory comes first: a Redis that is full (OOM) refuses a script only at its
-- first command that may grow, so people can always sign out.
redis.call('ZREM', live, id)
for _, index in ipairs(indexes(subject, provider_session)) do redis.call('SREM', index, id) end
redis.call('HDEL', key, 'd')
redis.call('HSET', key, 'x', reason, 'w', operation)
redis.call('PEXPIRE', key, time_to_live(remember_until))
redis.call('ZADD', purge_sessions, remember_until, id)
-- The sealed payload outlives its session by the seconds that this call may take to ask again.
redis.call('SET', undone, sealed, 'PX', 5000)
-- An ACL without the channel must not keep anybody signed in.
redis.pcall('PUBLISH', channel, notice)
return { version, sealed, expires_at }
