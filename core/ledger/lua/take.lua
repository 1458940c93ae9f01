-- Takes the message that has waited longest off the first of some queues that has one, and a lease on its commit.
-- Messages of commits that have no work there are taken off too, as a task of theirs would do nothing; one that does
-- not begin as ours do is left for Celery. Returns what `lease` does, or nothing.
-- ARGV: token, lease seconds, most losses, most messages to look at, then pairs of stage, which is its queue's name, and
--       what stands in a message before its commit's id.
local left = tonumber(ARGV[4])
for i = 5, #ARGV, 2 do
  local stage, opening = ARGV[i], ARGV[i + 1]
  while left > 0 do
    local message = redis.call('LINDEX', stage, -1)
    local id = message and string.sub(message, 1, #opening) == opening and string.match(message, '^[^"\\]+', #opening + 1)
    if not id then break end
    redis.call('RPOP', stage)
    left = left - 1
    local work = claimable(id, stage, false, tonumber(ARGV[3]))
    if work then return lease(id, work, ARGV[1], tonumber(ARGV[2])) end
  end
end
return nil
