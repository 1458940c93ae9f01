-- Money set aside for calls under way, so that many at once do not all take the last dollar of a budget.
-- `reserved` holds "DOLLARS HOLDER" → when it dies by itself; a holder has one. ARGV: 'take' or 'release', holder, and to take:
-- day, dollars, limit of the day, seconds. Returns 1, or 0 where it does not fit (what the holder had stays) or is not
-- there to release.
local key, mine, others = P .. 'reserved', nil, 0
redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
  local dollars, holder = string.match(member, '^(%S+) (.*)$')
  if holder == ARGV[2] then mine = member else others = others + tonumber(dollars) end
end

if ARGV[1] == 'release' then return mine and redis.call('ZREM', key, mine) or 0 end
local spent = tonumber(redis.call('HGET', P .. 'count:' .. ARGV[3], 'cost_usd') or 0)
if spent + others + tonumber(ARGV[4]) > tonumber(ARGV[5]) then return 0 end
if mine then redis.call('ZREM', key, mine) end
redis.call('ZADD', key, now + tonumber(ARGV[6]), ARGV[4] .. ' ' .. ARGV[2])
return 1
