-- Commits of a batch that it will not answer. 'direct' makes them due at once; 'again' parks them anew, unless they
-- were sent too often; 'uncounted' does so as if they had never been sent. Returns how many they were.
-- ARGV: key, one of these words, most sendings, then custom ids (none: all that wait, and the batch is over).
local key, how, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local waits, count = P .. 'waits:' .. key, 0

local function give_back(custom)
  local id = redis.call('HGET', waits, custom)
  redis.call('HDEL', waits, custom)
  if not id or redis.call('HGET', work_key(id), 'batch') ~= key then return end
  if how == 'uncounted' then redis.call('HINCRBY', work_key(id), 'sent', -1) end
  local sent = tonumber(redis.call('HGET', work_key(id), 'sent'))
  if how == 'direct' or sent >= most then
    unpark(id, 'direct')
  else
    redis.call('HSET', work_key(id), 'batch', 'parked')
    redis.call('ZADD', P .. 'parked', redis.call('HGET', work_key(id), 'parked_at'), id)
  end
  count = count + 1
end

for i = 4, #ARGV do give_back(ARGV[i]) end
if #ARGV == 3 then
  for _, custom in ipairs(redis.call('HKEYS', waits)) do give_back(custom) end
  redis.call('DEL', waits, P .. 'batch:' .. key)
  redis.call('ZREM', P .. 'batches', key)
end
return count
