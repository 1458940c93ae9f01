-- Before a message is posted it is written down. Returns 1, or 0 when the lock is another's by now, who may be posting the
-- same. ARGV: channel, intent as JSON, the lock's token.
if redis.call('GET', P .. 'lock:notify') ~= ARGV[3] then return 0 end
redis.call('SET', P .. 'intent:' .. ARGV[1], ARGV[2])
return 1
