-- Takes a lease on a commit's stage. Returns what `lease` does, or nothing when there is no work here.
-- ARGV: id, stage, token, lease seconds, places, holder, most losses. With an empty id: the suspect that has waited
-- longest, whatever its stage, while fewer than `places` are held. Each holder is a process that does nothing else
-- meanwhile, so only the guilty one is there when a process dies.
local id, stage, token, most_losses = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[7])
local work
if id == '' then
  if held_alone() >= tonumber(ARGV[5]) then return nil end
  for _, candidate in ipairs(redis.call('ZRANGEBYSCORE', P .. 'suspects', '-inf', now, 'LIMIT', 0, 100)) do
    work = claimable(candidate, stage, true, most_losses)
    if work then id = candidate break end
  end
  if work then redis.call('HSET', P .. 'alone', ARGV[6], token .. ' ' .. id) end
else
  work = claimable(id, stage, false, most_losses)
end
return work and lease(id, work, token, tonumber(ARGV[4])) or nil
