-- ARGV: operation, id, sealed, subject, provider session, expires_at, purge_at, handles …
-- 1: stored, now or by this call's own first try; 0: another session has this id.
local operation, id, sealed, subject, provider_session, expires_at, purge_at = unpack(ARGV, 1, 7)
local key = session_key(id)
if redis.call('EXISTS', key) == 1 then
  return redis.call('HGET', key, 'w') == operation and 1 or 0
end
redis.call('HSET', key, 'v', 1, 'd', sealed, 'e', expires_at, 'u', subject, 'w', operation)
if provider_session ~= '' then redis.call('HSET', key, 'p', provider_session) end
local milliseconds = time_to_live(purge_at)
redis.call('PEXPIRE', key, milliseconds)
redis.call('ZADD', live, expires_at, id)
keep(live, milliseconds)
redis.call('ZADD', purge_sessions, purge_at, id)
keep(purge_sessions, milliseconds)
for _, index in ipairs(indexes(subject, provider_session)) do
  -- One comes, up to four that are gone leave: an index stays in proportion to the sessions
  -- alive even if records expire that nobody purged.
  for _, other in ipairs(redis.call('SRANDMEMBER', index, 4)) do
    if redis.call('EXISTS', session_key(other)) == 0 then redis.call('SREM', index, other) end
  end
  redis.call('SADD', index, id)
  keep(index, milliseconds)
end
for at = 8, #ARGV, 5 do insert_handle(at, operation) end
return 1
