-- Before every script. Keys that a script finds by following a record (a session's indexes)
-- cannot be declared beforehand: this store is for one Redis, not for a Redis Cluster.
local prefix = 'component-auth0:'
local live, purge_sessions, purge_handles = prefix .. 'live', prefix .. 'purge:s', prefix .. 'purge:h'

local function session_key(id) return prefix .. 's:' .. id end
local function handle_key(name) return prefix .. 'h:' .. name end

-- Milliseconds after which Redis itself forgets a record, should no companion ever purge:
-- a day later than `purge_at` by this server's clock, so that no skew of clocks below a day
-- forgets a record too early; ten years at most.
local function time_to_live(purge_at)
  local seconds = tonumber(purge_at) - tonumber(redis.call('TIME')[1])
  return (math.min(math.max(seconds, 0), 315360000) + 86400) * 1000
end

-- Lets `key` live that long at least.
local function keep(key, milliseconds)
  if redis.call('PTTL', key) < milliseconds then redis.call('PEXPIRE', key, milliseconds) end
end

local function indexes(subject, provider_session)
  local keys = {}
  if subject then keys[#keys + 1] = prefix .. 'i:u:' .. subject end
  if provider_session and provider_session ~= '' then
    keys[#keys + 1] = prefix .. 'i:p:' .. provider_session
  end
  return keys
end

-- ARGV from `at`: name, session, sealed, expires_at, purge_at. `false`: it was there before.
local function insert_handle(at, operation)
  local name, session, sealed, expires_at, purge_at = unpack(ARGV, at, at + 4)
  local key = handle_key(name)
  if redis.call('EXISTS', key) == 1 then
    return redis.call('HGET', key, 'o') == operation
  end
  redis.call('HSET', key, 's', session, 'd', sealed, 'e', expires_at, 'o', operation)
  local milliseconds = time_to_live(purge_at)
  redis.call('PEXPIRE', key, milliseconds)
  redis.call('ZADD', purge_handles, purge_at, name)
  keep(purge_handles, milliseconds)
  return true
end
