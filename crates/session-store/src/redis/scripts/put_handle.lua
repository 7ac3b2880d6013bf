-- ARGV: operation, name, session, sealed, expires_at, purge_at. 1: stored, now or by this
-- call's own first try; 0: it was there before.
return insert_handle(2, ARGV[1]) and 1 or 0
