-- Commits that were given up on are put at the start of the pipeline again. Returns how many were; the rest had been
-- retried or dropped by another meanwhile. ARGV: queue, patience seconds, then pairs of id, message.
local opened, messages = {}, {}
for i = 3, #ARGV, 2 do
  if redis.call('ZREM', P .. 'failed', ARGV[i]) == 1 then
    opened[#opened + 1], messages[#messages + 1] = ARGV[i], ARGV[i + 1]
  end
end
open(opened, ARGV[1], messages, tonumber(ARGV[2]), opened)
return #opened
