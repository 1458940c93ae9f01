-- Takes the message that has waited longest off the first of some queues that has one, and a lease on its commit.
-- Messages of commits that have no work there are taken off too, as a task of theirs would do nothing; one that does
-- not begin as ours do is left for Celery. Where those that take long come first, the one of them that has waited
-- longest is leased; its message stays. Returns what `lease` does, or nothing.
-- ARGV: token, lease seconds, most losses, most messages to look at, then by threes a stage, which is its queue's name,
--       what stands in a message before its commit's id, and whether those that take long come first (0 or 1).
local left = tonumber(ARGV[4])

local function leased(id, stage)
  left = left - 1
  local work = claimable(id, stage, false, tonumber(ARGV[3]))
  return work and lease(id, work, ARGV[1], tonumber(ARGV[2]))
end

for i = 5, #ARGV, 3 do
  local stage, opening = ARGV[i], ARGV[i + 1]
  while left > 0 and ARGV[i + 2] == '1' do
    local id = redis.call('LPOP', P .. 'long:' .. stage)
    if not id then break end
    local taken = leased(id, stage)
    if taken then return taken end
  end
  while left > 0 do
    local message = redis.call('LINDEX', stage, -1)
    local id = message and string.sub(message, 1, #opening) == opening and string.match(message, '^[^"\\]+', #opening + 1)
    if not id then break end
    redis.call('RPOP', stage)
    local taken = leased(id, stage)
    if taken then return taken end
  end
end
return nil
