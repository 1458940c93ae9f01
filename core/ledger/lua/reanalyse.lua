-- A finished commit is put at the start of the pipeline again; its record stays until the new one is written. Returns 1, or
-- 0 when it is unknown or at work already. One that was left to a batch is asked for directly instead, at once.
-- ARGV: id, queue, message, patience seconds.
local id = ARGV[1]
local batch = redis.call('HGET', work_key(id), 'batch')
if batch and batch ~= 'direct' and batch ~= 'answered' then
  redis.call('ZREM', P .. 'parked', id)
  unpark(id, 'direct')
  return 1
end
if redis.call('EXISTS', P .. 'record:' .. id) == 0 or redis.call('EXISTS', work_key(id)) == 1 then return 0 end
local had_failed = redis.call('ZREM', P .. 'failed', id) == 1
open({id}, ARGV[2], {ARGV[3]}, tonumber(ARGV[4]), {id})
if not had_failed then redis.call('HSET', work_key(id), 'again', 1) end
return 1
