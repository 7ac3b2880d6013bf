-- ARGV: now, batch. Removes what nobody needs to remember, so many sessions and handles at
-- most; gives how many of each.
local now, batch = unpack(ARGV)
-- A companion whose clock is fast must not remove what others still need (E66).
now = math.min(tonumber(now), tonumber(redis.call('TIME')[1]))
local sessions = redis.call('ZRANGEBYSCORE', purge_sessions, '-inf', now, 'LIMIT', 0, batch)
for _, id in ipairs(sessions) do
  local key = session_key(id)
  local subject, provider_session = unpack(redis.call('HMGET', key, 'u', 'p'))
  for _, index in ipairs(indexes(subject, provider_session)) do redis.call('SREM', index, id) end
  redis.call('ZREM', live, id)
  redis.call('DEL', key)
  redis.call('ZREM', purge_sessions, id)
end
local handles = redis.call('ZRANGEBYSCORE', purge_handles, '-inf', now, 'LIMIT', 0, batch)
for _, name in ipairs(handles) do
  redis.call('DEL', handle_key(name))
  redis.call('ZREM', purge_handles, name)
end
return { #sessions, #handles }
