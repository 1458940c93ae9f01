-- Every figure of /metrics, `daybook status` and the alerts, in one round trip; nothing is changed.
-- ARGV: day of the counters, number of queues, the queues, then the stages.
-- Returns {now, totals, counters of the day, meters, queue lengths,
--          {waiting, failed, suspects, oldest's age, waiting for a batch to be sent, for a sent one's answer},
--          per stage {waiting, oldest's age}, {analysed, failed, deliveries with a wrong signature} within the hour,
--          per repository {name, day, written},
--          alive, when the sweep last ran, {memory used, memory limit}, {spent today, spent in all, dollars set aside,
--          calibration}, who leads as beat}.
local LOOKED_AT = 1000 -- the oldest open commits, among which each stage's oldest is sought
local SLOT_SECONDS = 300 -- of `ended:`

local queues, stages = {}, {}
for i = 3, 2 + tonumber(ARGV[2]) do queues[#queues + 1] = redis.call('LLEN', ARGV[i]) end
for i = 3 + tonumber(ARGV[2]), #ARGV do stages[#stages + 1] = ARGV[i] end

-- A stage's oldest is the first of the open commits that stands in it. Where none is found among those looked at, the
-- last of them is older than any there.
local lengths, sought = {}, 0
for i, stage in ipairs(stages) do
  lengths[i] = redis.call('ZCARD', due_key(stage))
  if lengths[i] > 0 then sought = sought + 1 end
end
local oldest_open = redis.call('ZRANGE', P .. 'open', 0, LOOKED_AT - 1, 'WITHSCORES')
local since, last = {}, now
for i = 1, #oldest_open, 2 do
  if sought == 0 then break end
  local stage = redis.call('HGET', work_key(oldest_open[i]), 'stage')
  last = tonumber(oldest_open[i + 1])
  if stage and not since[stage] then
    since[stage] = last
    sought = sought - 1
  end
end
local per_stage = {}
for i, stage in ipairs(stages) do
  local age = lengths[i] > 0 and math.max(0, now - (since[stage] or last)) or 0
  per_stage[i] = {lengths[i], tostring(age)}
end
local oldest = oldest_open[2] and math.max(0, now - tonumber(oldest_open[2])) or 0

local analysed, failed, missigned = 0, 0, 0
local slot = math.floor(now / SLOT_SECONDS)
for i = slot - 11, slot do
  local ended = redis.call('HMGET', P .. 'ended:' .. i, 'analysed', 'failed', 'missigned')
  analysed = analysed + tonumber(ended[1] or 0)
  failed = failed + tonumber(ended[2] or 0)
  missigned = missigned + tonumber(ended[3] or 0)
end

local reports = {}
for _, name in ipairs(redis.call('HKEYS', P .. 'repositories')) do
  local day = redis.call('ZREVRANGE', P .. 'reports:' .. name, 0, 0)[1]
  reports[#reports + 1] = {name, day or '', redis.call('HGET', P .. 'reported', name) or ''}
end

local reserved = 0
for _, member in ipairs(redis.call('ZRANGEBYSCORE', P .. 'reserved', '(' .. tostring(now), '+inf')) do
  reserved = reserved + tonumber(string.match(member, '^%S+'))
end

local sent = 0
for _, key in ipairs(redis.call('ZRANGE', P .. 'batches', 0, -1)) do
  for _, id in ipairs(redis.call('HVALS', P .. 'waits:' .. key)) do -- some are asked for by themselves by now
    if redis.call('HGET', work_key(id), 'batch') == key then sent = sent + 1 end
  end
end

local memory = redis.pcall('INFO', 'memory') -- some hosts forbid it
memory = type(memory) == 'string' and memory or ''
return {
  tostring(now), redis.call('HGETALL', P .. 'totals'), redis.call('HGETALL', P .. 'count:' .. ARGV[1]),
  redis.call('HGETALL', P .. 'meters'), queues,
  {redis.call('ZCARD', P .. 'open'), redis.call('ZCARD', P .. 'failed'), redis.call('ZCARD', P .. 'suspects'),
   tostring(oldest), redis.call('ZCARD', P .. 'parked'), sent},
  per_stage, {analysed, failed, missigned}, reports, redis.call('ZRANGE', P .. 'alive', 0, -1, 'WITHSCORES'),
  redis.call('GET', P .. 'swept') or '',
  {memory:match('used_memory:(%d+)') or '0', memory:match('maxmemory:(%d+)') or '0'},
  {redis.call('HGETALL', P .. 'spent:' .. ARGV[1]), redis.call('HGETALL', P .. 'spent'), tostring(reserved),
   redis.call('HGETALL', P .. 'calibration')},
  redis.call('GET', P .. 'lead:beat') or '',
}
