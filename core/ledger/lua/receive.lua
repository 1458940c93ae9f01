-- One push: records what is new, opens again what had failed, leaves the rest. Returns {queued, known}.
-- ARGV: repository, push score, push JSON, branch, head JSON, day of the counters, queue, patience, n,
--       then n times: sha, landing score, record, message.
local repository, queue, patience, n = ARGV[1], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local landed, counters = P .. 'landed:' .. repository, P .. 'count:' .. ARGV[6]
for key, kind in pairs({
  [landed] = 'zset', [P .. 'pushes:' .. repository] = 'zset', [P .. 'heads:' .. repository] = 'hash',
  [P .. 'repositories'] = 'hash', [P .. 'failed'] = 'zset', [P .. 'open'] = 'zset', [P .. 'due:fetch'] = 'zset',
  [counters] = 'hash', [P .. 'totals'] = 'hash', [queue] = 'list',
}) do
  local wrong = expect(key, kind)
  if wrong then return wrong end
end

local queued, known = 0, 0
for i = 0, n - 1 do
  local at = 10 + i * 4
  local id = repository .. '@' .. ARGV[at]
  local fresh = redis.call('HSETNX', sha_key(repository, ARGV[at]), string.sub(ARGV[at], 3), '') == 1
  if fresh then
    redis.call('SET', P .. 'record:' .. id, ARGV[at + 2])
    redis.call('ZADD', landed, ARGV[at + 1], ARGV[at])
  end
  if fresh or redis.call('ZREM', P .. 'failed', id) == 1 then
    open(id, queue, ARGV[at + 3], patience)
    queued = queued + 1
  else
    known = known + 1
  end
  if fresh then
    redis.call('HINCRBY', counters, 'received', 1)
    redis.call('HINCRBY', P .. 'totals', 'received', 1)
  end
end

redis.call('HINCRBY', counters, 'known', known)
redis.call('HINCRBY', P .. 'totals', 'known', known)
redis.call('EXPIRE', counters, 400 * 86400)
redis.call('HSETNX', P .. 'repositories', repository, now)
if ARGV[3] ~= '' then
  redis.call('ZADD', P .. 'pushes:' .. repository, ARGV[2], ARGV[3])
  redis.call('ZREMRANGEBYRANK', P .. 'pushes:' .. repository, 0, -5001)
  local head = redis.call('HGET', P .. 'heads:' .. repository, ARGV[4])
  if not head or cjson.decode(head)['pushed_at'] <= tonumber(ARGV[2]) then
    redis.call('HSET', P .. 'heads:' .. repository, ARGV[4], ARGV[5])
  end
end
return {queued, known}
