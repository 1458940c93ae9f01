-- A stage's result is written and the next one queued. Returns 1, or 0 when the lease was lost and nothing is written.
-- A commit that takes long there is noted for `take`, so that it need not wait for all that were before it; its message
-- is queued as any.
-- ARGV: id, token, next stage, record, diff, diff lifetime seconds, queue, message, patience, whether it takes long (0 or
--       1), the run (see `ran`).
local MOST_NOTED = 1000
local id = ARGV[1]
local stage = held(id, ARGV[2])
if not stage then return 0 end
redis.call('SET', P .. 'record:' .. id, ARGV[4])
meter(stage, 'done')
ran(stage, 11)
redis.call('SET', P .. 'diff:' .. id, ARGV[5], 'EX', ARGV[6])
redis.call('ZREM', due_key(stage), id)
redis.call('HSET', work_key(id), 'stage', ARGV[3], 'token', '', 'attempts', 0, 'queued', 1, 'not_before', 0)
if redis.call('HGET', work_key(id), 'suspect') == '1' then
  redis.call('HSET', work_key(id), 'queued', 0)
  redis.call('ZADD', due_key(ARGV[3]), now, id)
else
  redis.call('ZADD', due_key(ARGV[3]), now + tonumber(ARGV[9]), id)
  redis.call('LPUSH', ARGV[7], ARGV[8])
  local long = P .. 'long:' .. ARGV[3]
  if ARGV[10] == '1' and redis.call('LLEN', long) < MOST_NOTED then redis.call('RPUSH', long, id) end
end
return 1
