-- A push, or a part of one: records what is new, opens again what had failed, leaves the rest.
-- Returns {queued, known}.
-- All types are checked before the first write: by TYPE, or by the command that reads the key.
-- ARGV: repository, push score, push JSON ('' where it is not to be written down, or not yet), branch, head JSON,
--       day of the counters, queue, patience, then for each commit: sha, landing score, record,
--       message.
local repository, queue, patience = ARGV[1], ARGV[7], tonumber(ARGV[8])
local landed, failed = P .. 'landed:' .. repository, P .. 'failed'
local pushes, heads, counters = P .. 'pushes:' .. repository, P .. 'heads:' .. repository, P .. 'count:' .. ARGV[6]
for key, kind in pairs({
  [landed] = 'zset', [P .. 'open'] = 'zset', [due_key('fetch')] = 'zset',
  [counters] = 'hash', [P .. 'totals'] = 'hash', [queue] = 'list',
}) do
  local wrong = expect(key, kind)
  if wrong then return wrong end
end
local head = redis.call('HGET', heads, ARGV[4])
local written = redis.call('ZCARD', pushes)
local met = head or redis.call('HEXISTS', P .. 'repositories', repository) == 1

local told, ids = {}, {}
for at = 9, #ARGV, 4 do
  told[#told + 1] = ARGV[at]
  ids[#ids + 1] = repository .. '@' .. ARGV[at]
end
local failures = many('ZMSCORE', failed, ids)
local is_new = {} -- a sha stays where it is when its record expires
for i, sha in ipairs(told) do is_new[i] = redis.call('HEXISTS', sha_key(repository, sha), string.sub(sha, 3)) == 0 end

local opened, messages, seen, failed_before = {}, {}, {}, {}
local new_places, new_records, fresh = {}, {}, 0
for i, id in ipairs(ids) do
  local at = 5 + 4 * i
  if not seen[id] and is_new[i] then
    fresh = fresh + 1
    new_places[2 * fresh - 1], new_places[2 * fresh] = ARGV[at + 1], told[i]
    redis.call('HSET', sha_key(repository, told[i]), string.sub(told[i], 3), '')
    new_records[2 * fresh - 1], new_records[2 * fresh] = P .. 'record:' .. id, ARGV[at + 2]
    opened[#opened + 1], messages[#messages + 1] = id, ARGV[at + 3]
  elseif not seen[id] and failures[i] then
    failed_before[#failed_before + 1] = id
    opened[#opened + 1], messages[#messages + 1] = id, ARGV[at + 3]
  end
  seen[id] = true
end

many('ZADD', landed, new_places)
many('MSET', nil, new_records)
many('ZREM', failed, failed_before)
open(opened, queue, messages, patience, failed_before)
for counter, n in pairs({received = fresh, known = #ids - #opened}) do
  if n > 0 then
    local is_first = redis.call('HINCRBY', counters, counter, n) == n
    if is_first then redis.call('EXPIRE', counters, 400 * 86400) end
    redis.call('HINCRBY', P .. 'totals', counter, n)
  end
end
if not met then redis.call('HSET', P .. 'repositories', repository, now) end
if ARGV[3] ~= '' then
  redis.call('ZADD', pushes, ARGV[2], ARGV[3])
  if written >= 5000 then redis.call('ZREMRANGEBYRANK', pushes, 0, -5001) end
  if not head or cjson.decode(head)['pushed_at'] <= tonumber(ARGV[2]) then
    redis.call('HSET', heads, ARGV[4], ARGV[5])
  end
end
return {#opened, #ids - #opened}
