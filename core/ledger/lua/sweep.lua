-- Whatever is due and not done. Returns {rows to queue again, ids given to the sweeper to be given up, wake suspects?}.
-- A lease that ran out without an outcome makes its commit a suspect; only what it loses as a suspect counts, and after
-- the last of those it is handed to the sweeper under its token. Commits in a queue that still holds a message for each
-- are left there.
-- ARGV: patience seconds, limit, most losses, sweeper's token, lease seconds, suspects' queue, then pairs of stage, queue.
local patience, limit, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local rows, poison = {}, {}

local function lose(id, stage, suspect)
  redis.call('HINCRBY', work_key(id), 'lost', 1)
  redis.call('HINCRBY', P .. 'totals', 'leases_lost', 1)
  redis.call('HSET', work_key(id), 'token', '', 'suspect', 1, 'queued', 0)
  redis.call('ZADD', P .. 'suspects', now, id)
  if suspect and redis.call('HINCRBY', work_key(id), 'losses', 1) >= most then
    redis.call('HSET', work_key(id), 'token', ARGV[4])
    redis.call('ZADD', due_key(stage), now + tonumber(ARGV[5]), id)
    poison[#poison + 1] = id
  end
end

for i = 7, #ARGV, 2 do
  local stage = ARGV[i]
  local due = redis.call('ZRANGEBYSCORE', due_key(stage), '-inf', now, 'LIMIT', 0, limit)
  local intact = redis.call('LLEN', ARGV[i + 1]) >= redis.call('ZCOUNT', due_key(stage), '-inf', now)
  for _, id in ipairs(due) do
    local work = redis.call('HMGET', work_key(id), 'token', 'queued', 'suspect')
    redis.call('ZADD', due_key(stage), now + patience, id)
    if not work[1] then
      redis.call('ZREM', due_key(stage), id)
    elseif work[1] ~= '' then
      lose(id, stage, work[3] == '1')
    elseif work[3] ~= '1' and (work[2] ~= '1' or not intact) then
      redis.call('HSET', work_key(id), 'queued', 1)
      rows[#rows + 1] = {id, stage}
    end
  end
end

local wake = 0
if redis.call('ZCARD', P .. 'suspects') > 0 and redis.call('LLEN', ARGV[6]) == 0 then
  local holder = redis.call('GET', P .. 'suspect')
  if not holder or (redis.call('HGET', work_key(holder), 'token') or '') == '' then wake = 1 end
end
return {rows, poison, wake}
