-- Notices go into the outboxes of their channels, each entry once, and the commit they come of is off the news, unless it
-- changed again since it was read. A channel keeps at most `most`: those that have been due longest go. Returns how many
-- had to go. ARGV: member of `notify` ('': none), its score as it was read, most, then fours of channel, entry, due, JSON.
local dropped = 0
for i = 4, #ARGV, 4 do
  local channel, entry = ARGV[i], ARGV[i + 1]
  local kept, due = P .. 'outbox:' .. channel, P .. 'outbox-due:' .. channel
  if redis.call('HEXISTS', kept, entry) == 0 then
    while redis.call('HLEN', kept) >= tonumber(ARGV[3]) do
      local oldest = redis.call('ZRANGE', due, 0, 0)[1]
      redis.call('ZREM', due, oldest)
      redis.call('HDEL', kept, oldest)
      redis.call('HINCRBY', P .. 'notices', channel .. ' dropped', 1)
      dropped = dropped + 1
    end
    redis.call('HSET', kept, entry, ARGV[i + 3])
    redis.call('ZADD', due, ARGV[i + 2], entry)
    look_next(channel)
  end
end
if ARGV[1] ~= '' and redis.call('ZSCORE', P .. 'notify', ARGV[1]) then
  if tonumber(redis.call('ZSCORE', P .. 'notify', ARGV[1])) <= tonumber(ARGV[2]) then
    redis.call('ZREM', P .. 'notify', ARGV[1])
  end
end
return dropped
