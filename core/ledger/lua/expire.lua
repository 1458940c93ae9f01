-- Commits that their day's kept report tells of lose their records and their places in the indices; `past` keeps the
-- day, so that receiving one again is still known. Those that are owed something are left as they are: at work, given
-- up on, or not told to other days' pages yet; and so are all, while the day has no report or is to be made again.
-- Returns how many expired. ARGV: repository, day, its ordinal, then pairs of sha, names in `names:REPOSITORY` by line.
local repository, day = ARGV[1], ARGV[2]
if redis.call('EXISTS', P .. 'report:' .. repository .. ':' .. day) == 0 then return 0 end
if redis.call('ZSCORE', P .. 'dirty', repository .. ' ' .. day) then return 0 end

local expired = 0
for i = 4, #ARGV, 2 do
  local sha, id = ARGV[i], repository .. '@' .. ARGV[i]
  local owed = redis.call('EXISTS', work_key(id)) == 1 or redis.call('ZSCORE', P .. 'failed', id)
    or redis.call('SISMEMBER', P .. 'untold', id) == 1
  if not owed then
    redis.call('HSET', past_key(repository, sha), string.sub(sha, 3), ARGV[3])
    redis.call('ZREM', P .. 'landed:' .. repository, sha)
    redis.call('ZREM', P .. 'shas:' .. repository, sha)
    for name in string.gmatch(ARGV[i + 1], '[^\n]+') do redis.call('ZREM', P .. 'names:' .. repository, name) end
    redis.call('DEL', P .. 'told:' .. id)
    expired = expired + redis.call('DEL', P .. 'record:' .. id)
  end
end
return expired
