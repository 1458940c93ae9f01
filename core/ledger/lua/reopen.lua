-- Commits that were given up on are put at the start of the pipeline again. Returns how many were; the rest had been
-- retried or dropped by another meanwhile. ARGV: queue, patience seconds, then pairs of id, message.
local opened = 0
for i = 3, #ARGV, 2 do
  if redis.call('ZREM', P .. 'failed', ARGV[i]) == 1 then
    open(ARGV[i], ARGV[1], ARGV[i + 1], tonumber(ARGV[2]))
    opened = opened + 1
  end
end
return opened
