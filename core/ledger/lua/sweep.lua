-- Whatever is due and not done. Returns {rows to queue again, ids given to the sweeper to be given up, suspects to wake}.
-- A lease that ran out without an outcome makes its commit a suspect. It is handed to the sweeper under its token after
-- `most losses` proven deaths of a process that did nothing else (lost.lua), or `most lost` lost leases of any kind: a
-- whole host may die with a commit, and nobody is left to say so. Commits in a queue that still holds a message for
-- each are left there. When nobody swept for `gap` seconds, Redis was away and nobody could renew: leases start anew.
-- ARGV: patience seconds, limit, most losses, sweeper's token, lease seconds, suspects' queue, most lost, places, gap,
--       then pairs of stage, queue.
local patience, limit, most, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local most_lost, places, gap = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local rows, poison = {}, {}
local last = tonumber(redis.call('GET', P .. 'swept') or 0)
redis.call('SET', P .. 'swept', string.format('%.3f', now))
local was_away = now - last > gap

local function lose(id, stage)
  meter(stage, 'lost')
  redis.call('HINCRBY', work_key(id), 'lost', 1)
  redis.call('HINCRBY', P .. 'totals', 'leases_lost', 1)
  redis.call('HSET', work_key(id), 'token', '', 'suspect', 1, 'queued', 0)
  redis.call('ZADD', P .. 'suspects', now, id)
end

local function is_poison(id)
  local counts = redis.call('HMGET', work_key(id), 'losses', 'lost')
  return tonumber(counts[1] or 0) >= most or tonumber(counts[2] or 0) >= most_lost
end

local function look_at(id, stage, intact)
  local work = redis.call('HMGET', work_key(id), 'token', 'queued', 'suspect')
  redis.call('ZADD', due_key(stage), now + patience, id)
  if not work[1] then
    redis.call('ZREM', due_key(stage), id)
  elseif work[1] ~= '' and was_away then
    redis.call('ZADD', due_key(stage), now + lease, id)
  elseif work[1] ~= '' or work[3] == '1' then
    if work[1] ~= '' then lose(id, stage) end
    if is_poison(id) then
      redis.call('HSET', work_key(id), 'token', ARGV[4])
      redis.call('ZADD', due_key(stage), now + lease, id)
      poison[#poison + 1] = id
    end
  elseif work[2] ~= '1' or not intact then
    redis.call('HSET', work_key(id), 'queued', 1)
    rows[#rows + 1] = {id, stage}
  end
end

for i = 10, #ARGV, 2 do
  local stage = ARGV[i]
  local due = redis.call('ZRANGEBYSCORE', due_key(stage), '-inf', now, 'LIMIT', 0, limit)
  local intact = redis.call('LLEN', ARGV[i + 1]) >= redis.call('ZCOUNT', due_key(stage), '-inf', now)
  for _, id in ipairs(due) do look_at(id, stage, intact) end
end

local at_work, called = held_alone(), redis.call('LLEN', ARGV[6])
local waiting = redis.call('ZCOUNT', P .. 'suspects', '-inf', now) - at_work
local wake = math.max(0, math.min(places - at_work, waiting) - called)
return {rows, poison, wake}
