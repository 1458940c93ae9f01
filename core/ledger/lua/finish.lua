-- The work on a commit is over: its last record is written. Returns 1, or 0 when the lease was lost.
-- ARGV: id, token, record, outcome ('analysed' or 'failed'), dirty day, day of the counters,
--       then pairs of counter, increment.
local id, counters = ARGV[1], P .. 'count:' .. ARGV[6]
local stage = held(id, ARGV[2])
if not stage then return 0 end
redis.call('SET', P .. 'record:' .. id, ARGV[3])
redis.call('DEL', P .. 'diff:' .. id, work_key(id))
redis.call('ZREM', due_key(stage), id)
redis.call('ZREM', P .. 'open', id)
redis.call('ZREM', P .. 'suspects', id)
redis.call('ZADD', P .. 'dirty', now, ARGV[5])
if ARGV[4] == 'failed' then redis.call('ZADD', P .. 'failed', now, id) end
redis.call('HINCRBY', P .. 'totals', ARGV[4], 1)
redis.call('HINCRBY', counters, ARGV[4], 1)
for i = 7, #ARGV, 2 do
  redis.call('HINCRBYFLOAT', counters, ARGV[i], ARGV[i + 1])
  redis.call('HINCRBYFLOAT', P .. 'totals', ARGV[i], ARGV[i + 1])
end
meter(stage, ARGV[4] == 'failed' and 'given_up' or 'done')
local slot = P .. 'ended:' .. math.floor(now / 300) -- what the share of failures within the hour is made from
redis.call('HINCRBY', slot, ARGV[4], 1)
redis.call('EXPIRE', slot, 7200)
redis.call('EXPIRE', counters, 400 * 86400)
return 1
