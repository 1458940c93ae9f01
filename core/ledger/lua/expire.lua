-- Commits that their day's kept report tells of lose their records and their places in the indices; `shas` keeps the
-- day, so that receiving one again is still known. Those that are owed something are left as they are: at work, given
-- up on, or not told to other days' pages yet; and so are all, while the day has no report or is to be made again.
-- Returns how many expired.
-- ARGV: repository, day, its ordinal, then per commit its sha, number of names, and so many pairs of key, member.
local repository, day = ARGV[1], ARGV[2]
if redis.call('EXISTS', P .. 'report:' .. repository .. ':' .. day) == 0 then return 0 end
if redis.call('ZSCORE', P .. 'dirty', repository .. ' ' .. day) then return 0 end

local expired, i = 0, 4
while i <= #ARGV do
  local sha, id = ARGV[i], repository .. '@' .. ARGV[i]
  local owed = redis.call('EXISTS', work_key(id)) == 1 or redis.call('ZSCORE', P .. 'failed', id)
    or redis.call('SISMEMBER', P .. 'untold', id) == 1
  if not owed then
    redis.call('HSET', sha_key(repository, sha), string.sub(sha, 3), ARGV[3])
    redis.call('ZREM', P .. 'landed:' .. repository, sha)
    for at = i + 2, i + 1 + 2 * tonumber(ARGV[i + 1]), 2 do redis.call('ZREM', ARGV[at], ARGV[at + 1]) end
    redis.call('DEL', P .. 'told:' .. id)
    expired = expired + redis.call('DEL', P .. 'record:' .. id)
  end
  i = i + 2 + 2 * tonumber(ARGV[i + 1])
end
return expired
