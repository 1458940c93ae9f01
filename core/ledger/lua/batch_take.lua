-- Begins a batch of parked commits, oldest first, when there are enough or the oldest has waited long enough. What it
-- is to hold is written down before anything is sent. Those with little time left are due at once.
-- ARGV: key, most, fewest, patience seconds, fewest seconds left. Returns pairs of custom id, id.
local key, most, fewest = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local oldest = redis.call('ZRANGE', P .. 'parked', 0, 0, 'WITHSCORES')[2]
if not oldest then return {} end
if redis.call('ZCARD', P .. 'parked') < fewest and tonumber(oldest) > now - tonumber(ARGV[4]) then return {} end

local taken = {}
for n, id in ipairs(redis.call('ZRANGE', P .. 'parked', 0, most - 1)) do
  local work = redis.call('HMGET', work_key(id), 'batch', 'not_before')
  redis.call('ZREM', P .. 'parked', id)
  if work[1] == 'parked' and tonumber(work[2]) < now + tonumber(ARGV[5]) then
    unpark(id, 'direct')
  elseif work[1] == 'parked' then
    local custom = key .. '-' .. n
    redis.call('HSET', work_key(id), 'batch', key)
    redis.call('HINCRBY', work_key(id), 'sent', 1)
    redis.call('HSET', P .. 'waits:' .. key, custom, id)
    taken[#taken + 1] = custom
    taken[#taken + 1] = id
  end
end
if #taken > 0 then
  redis.call('ZADD', P .. 'batches', now, key)
  redis.call('HSET', P .. 'batch:' .. key, 'begun', now)
end
return taken
