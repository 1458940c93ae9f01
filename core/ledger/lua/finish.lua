-- The work on a commit is over: its last record is written and what it cost is counted. Returns 1, also when this token
-- did so before and its answer was lost, when nothing is counted twice; or 0 when the lease was lost.
-- ARGV: id, token, record, outcome ('analysed' or 'failed'), dirty day, day of the counters, repository, tier,
--       the six amounts of `spend`, the run (see `ran`), that of the analysis where it was made in an earlier stage,
--       number of its names, so many pairs of key, member, then pairs of counter, increment.
local ANSWER_SECONDS = 120 -- longer than anybody asks again: WRITE_SECONDS and what one answer may take
local id, counters = ARGV[1], P .. 'count:' .. ARGV[6]
local finished, stage = P .. 'finished:' .. id, held(id, ARGV[2])
if not stage then return redis.call('GET', finished) == ARGV[2] and 1 or 0 end
local failed, again = ARGV[4] == 'failed', redis.call('HEXISTS', work_key(id), 'again') == 1
redis.call('SET', P .. 'record:' .. id, ARGV[3])
redis.call('DEL', P .. 'diff:' .. id, work_key(id))
redis.call('ZREM', due_key(stage), id)
redis.call('ZREM', P .. 'open', id)
redis.call('ZREM', P .. 'suspects', id)
redis.call('ZADD', P .. 'dirty', now, ARGV[5])
if failed then redis.call('ZADD', P .. 'failed', now, id) end
local outcome = again and not failed and 'reanalysed' or ARGV[4] -- a commit counts as analysed once
redis.call('HINCRBY', P .. 'totals', outcome, 1)
redis.call('HINCRBY', counters, outcome, 1)
spend(ARGV[6], ARGV[7], ARGV[8], 9)
local after_names = 20 + 2 * tonumber(ARGV[19])
for i = 20, after_names - 1, 2 do redis.call('ZADD', ARGV[i], 0, ARGV[i + 1]) end
redis.call('SADD', P .. 'untold', id)
redis.call('ZADD', P .. 'notify', now, (again and 'again ' or 'new ') .. id)
for i = after_names, #ARGV, 2 do
  redis.call('HINCRBY', counters, ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', P .. 'totals', ARGV[i], ARGV[i + 1])
end
meter(stage, failed and 'given_up' or 'done')
ran(stage, 15)
if not failed and stage ~= 'analyse' then -- it was analysed as soon as its diff was read
  meter('analyse', 'done')
  ran('analyse', 17)
end
local slot = P .. 'ended:' .. math.floor(now / 300) -- what the share of failures within the hour is made from
redis.call('HINCRBY', slot, ARGV[4], 1)
redis.call('EXPIRE', slot, 7200)
redis.call('EXPIRE', counters, 400 * 86400)
redis.call('SET', finished, ARGV[2], 'EX', ANSWER_SECONDS)
return 1
