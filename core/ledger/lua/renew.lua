-- Extends leases that are still held. Returns the ids that are not held any more.
-- ARGV: lease seconds, then pairs of id, token.
local lost = {}
for i = 2, #ARGV, 2 do
  local stage = held(ARGV[i], ARGV[i + 1])
  if stage then
    redis.call('ZADD', due_key(stage), now + tonumber(ARGV[1]), ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
