-- One answer of a batch has come: it is kept beside the commit, which is due at once.
-- ARGV: key, custom id, answer, seconds to keep it.
-- Returns {outcome, id}: 'kept', 'late' when the commit is asked for by itself or over, or 'known'.
local waits = P .. 'waits:' .. ARGV[1]
local id = redis.call('HGET', waits, ARGV[2])
if redis.call('HDEL', waits, ARGV[2]) == 0 then return {'known', ''} end
local work = redis.call('HMGET', work_key(id), 'batch', 'token')
if work[1] ~= ARGV[1] or work[2] ~= '' then return {'late', id} end
redis.call('SET', P .. 'answer:' .. id, ARGV[3], 'EX', ARGV[4])
unpark(id, 'answered')
return {'kept', id}
