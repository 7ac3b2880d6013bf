-- ARGV: name.
redis.call('ZREM', purge_handles, ARGV[1])
return redis.call('DEL', handle_key(ARGV[1]))
