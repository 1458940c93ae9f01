-- Puts a stage off. Returns 1, or 0 when the lease was lost.
-- ARGV: id, token, seconds to wait, reason, stage to go back to ('' for the same), attempts to count (0 or 1), the
--       run (see `ran`).
local id = ARGV[1]
local stage = held(id, ARGV[2])
if not stage then return 0 end
meter(stage, ARGV[6] == '0' and 'paused' or 'put_off')
ran(stage, 7)
local again = ARGV[5] ~= '' and ARGV[5] or stage
if again ~= stage then redis.call('DEL', P .. 'diff:' .. id) end -- it is read anew
redis.call('ZREM', due_key(stage), id)
redis.call('HSET', work_key(id), 'stage', again, 'token', '', 'queued', 0, 'not_before', now + tonumber(ARGV[3]),
  'reason', ARGV[4])
redis.call('ZADD', due_key(again), now + tonumber(ARGV[3]), id)
redis.call('HINCRBY', work_key(id), 'attempts', ARGV[6])
if redis.call('ZSCORE', P .. 'suspects', id) then redis.call('ZADD', P .. 'suspects', now + tonumber(ARGV[3]), id) end
return 1
