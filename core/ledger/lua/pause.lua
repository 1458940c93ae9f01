-- Pauses of one outside service, for all workers on all hosts. Returns {seconds as a string, whether it refuses us}.
-- After a pause calls ramp up: `t` seconds after its end, 1 + CURVE * (2^(t / DOUBLING) - 1) calls have been let through,
-- which is 2 a second at first and twice as many every 5 seconds; a minute later the bucket is gone.
-- ARGV: service, 'ask' or 'pause', seconds of the pause (0: not known), why there is one.
-- 'ask' takes a place: 0 is "call now", anything else is when this caller's place in the ramp comes, in order of asking.
-- 'pause' starts a pause or makes it longer, and takes a place after it for the caller.
local DOUBLING, CURVE, RAMP, MEMORY = 5, 14.427, 60, 600
local key = P .. 'pause:' .. ARGV[1]
local state = redis.call('HMGET', key, 'until', 'admitted', 'waiting', 'met')
local ends, admitted = tonumber(state[1] or 0), tonumber(state[2] or 0)
local waiting, met = tonumber(state[3] or 0), tonumber(state[4] or 0)

local refuses = redis.call('HEXISTS', P .. 'refusals', ARGV[1])
local function comes(place) return DOUBLING * math.log(1 + (place - 1) / CURVE) / math.log(2) end

if ARGV[2] == 'pause' then
  local seconds = tonumber(ARGV[3])
  if seconds == 0 then seconds = math.min(300, 5 * 2 ^ math.min(met, 6)) end
  if now >= ends then admitted, waiting, met = 0, 0, met + 1 end
  ends = math.max(ends, now + seconds)
  redis.call('HSET', key, 'why', ARGV[4])
elseif not state[1] or now > ends + RAMP then
  return {'0', refuses}
elseif now >= ends and admitted <= CURVE * (2 ^ ((now - ends) / DOUBLING) - 1) then
  redis.call('HINCRBY', key, 'admitted', 1)
  return {'0', refuses}
end
local place = math.max(waiting, admitted) + 1
redis.call('HSET', key, 'until', string.format('%.3f', ends), 'admitted', admitted, 'waiting', place, 'met', met)
redis.call('EXPIRE', key, math.ceil(ends - now + RAMP + MEMORY))
return {string.format('%.3f', math.max(0.1, ends - now + comes(place))), refuses}
