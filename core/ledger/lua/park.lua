-- Whether a commit's analysis is left to a batch. It is parked once: it holds no lease, and is due when it has to be
-- asked for by itself. `open` says since when a commit is owed, so that a parked one is not taken for forgotten.
-- ARGV: id, token, until when a batch may take (unix seconds; 0: no time for one), the run (see `ran`).
-- Returns {'parked'}, {'answered', answer} when a batch has answered, {'lost'} when the lease was, or {'direct'}: no
-- batch's answer will be taken any more.
local id, latest = ARGV[1], tonumber(ARGV[3])
local stage = held(id, ARGV[2])
if not stage then return {'lost'} end
local work = redis.call('HMGET', work_key(id), 'batch', 'suspect')
local answer = work[1] == 'answered' and redis.call('GET', P .. 'answer:' .. id)
if answer then return {'answered', answer} end
if work[1] or work[2] == '1' or latest <= now then
  redis.call('HSET', work_key(id), 'batch', 'direct')
  redis.call('ZREM', P .. 'parked', id)
  return {'direct'}
end
redis.call('HSET', work_key(id), 'batch', 'parked', 'token', '', 'queued', 0, 'not_before', latest,
  'parked_at', now)
redis.call('ZADD', due_key(stage), latest, id)
redis.call('ZADD', P .. 'open', latest, id)
redis.call('ZADD', P .. 'parked', now, id)
ran(stage, 4)
return {'parked'}
