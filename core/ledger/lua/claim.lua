-- Takes a lease on a commit's stage. Returns {id, stage, record, diff, attempts, lost leases, correction}, or nothing when
-- there is no work here: it is over, held by another, not due yet, or belongs to the other lane.
-- ARGV: id, stage, token, lease seconds, places, holder, most losses. With an empty id: the suspect that has waited
-- longest, whatever its stage, while fewer than `places` are held. Each holder is a process that does nothing else
-- meanwhile, so only the guilty one is there when a process dies.
local id, stage = ARGV[1], ARGV[2]
local alone = id == ''

local function claimable(candidate)
  local work = redis.call('HMGET', work_key(candidate), 'stage', 'token', 'not_before', 'suspect', 'attempts', 'lost',
    'losses')
  if not work[1] or work[2] ~= '' or tonumber(work[3]) > now then return nil end
  if (work[4] == '1') ~= alone or not (alone or work[1] == stage) then return nil end
  if tonumber(work[7] or 0) >= tonumber(ARGV[7]) then return nil end -- the sweep is about to hand it over
  return work
end

local work
if alone then
  if held_alone() >= tonumber(ARGV[5]) then return nil end
  for _, candidate in ipairs(redis.call('ZRANGEBYSCORE', P .. 'suspects', '-inf', now, 'LIMIT', 0, 100)) do
    work = claimable(candidate)
    if work then id = candidate break end
  end
  if work then redis.call('HSET', P .. 'alone', ARGV[6], ARGV[3] .. ' ' .. id) end
else
  work = claimable(id)
end
if not work then return nil end
redis.call('HSET', work_key(id), 'token', ARGV[3], 'queued', 0)
redis.call('ZADD', due_key(work[1]), now + tonumber(ARGV[4]), id)
local diff = redis.call('GET', P .. 'diff:' .. id)
return {id, work[1], redis.call('GET', P .. 'record:' .. id), diff or '', tonumber(work[5]), tonumber(work[6] or 0),
  correction(id) or ''}
