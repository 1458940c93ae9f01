-- The child process that worked on a suspect died, or its time was up: a loss that is proven, and counts against it,
-- also when its lease ran out before the proof came. ARGV: holder. Returns the id, or nothing when the work is over.
local held_by = redis.call('HGET', P .. 'alone', ARGV[1])
redis.call('HDEL', P .. 'alone', ARGV[1])
local token, id = string.match(held_by or '', '^(%S+) (.+)$')
local stage = id and redis.call('HGET', work_key(id), 'stage')
if not stage then return nil end
redis.call('HINCRBY', work_key(id), 'losses', 1)
if held(id, token) then
  meter(stage, 'lost')
  redis.call('HINCRBY', work_key(id), 'lost', 1)
  redis.call('HINCRBY', P .. 'totals', 'leases_lost', 1)
  redis.call('HSET', work_key(id), 'token', '', 'queued', 0, 'not_before', now + 1)
  redis.call('ZADD', P .. 'suspects', now + 1, id)
  redis.call('ZADD', due_key(stage), now, id)
end
return id
