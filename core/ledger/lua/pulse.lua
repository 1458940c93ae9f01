-- A process says that it is alive; those that have not for a day are forgotten. ARGV: its name.
redis.call('ZADD', P .. 'alive', now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', P .. 'alive', '-inf', now - 86400)
return 1
