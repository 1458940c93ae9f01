-- Takes a lease on a commit's stage. Returns {id, stage, record, diff, attempts, lost leases}, or nothing when there is
-- no work here: it is over, held by another, not due yet, or belongs to the other lane.
-- ARGV: id, stage, token, lease seconds. With an empty id: the suspect that has waited longest, whatever its stage,
-- unless another suspect is held: one at a time, so that only the guilty one is there when a process dies.
local id, stage = ARGV[1], ARGV[2]
local alone = id == ''

local function claimable(candidate)
  local work = redis.call('HMGET', work_key(candidate), 'stage', 'token', 'not_before', 'suspect', 'attempts', 'lost')
  if not work[1] or work[2] ~= '' or tonumber(work[3]) > now then return nil end
  if (work[4] == '1') ~= alone or not (alone or work[1] == stage) then return nil end
  return work
end

local work
if alone then
  local holder = redis.call('GET', P .. 'suspect')
  if holder and (redis.call('HGET', work_key(holder), 'token') or '') ~= '' then return nil end
  for _, candidate in ipairs(redis.call('ZRANGE', P .. 'suspects', 0, 99)) do
    work = claimable(candidate)
    if work then id = candidate break end
  end
  if work then redis.call('SET', P .. 'suspect', id) end
else
  work = claimable(id)
end
if not work then return nil end
redis.call('HSET', work_key(id), 'token', ARGV[3], 'queued', 0)
redis.call('ZADD', due_key(work[1]), now + tonumber(ARGV[4]), id)
local diff = redis.call('GET', P .. 'diff:' .. id)
return {id, work[1], redis.call('GET', P .. 'record:' .. id), diff or '', tonumber(work[5]), tonumber(work[6] or 0)}
