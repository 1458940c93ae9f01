-- Ends an intent, takes entries off a channel's outbox, keeps what was told, and counts. Returns 1, or 0 and does nothing
-- when the intent that stands is not this one: another holder settled it.
-- ARGV: channel, intent as JSON ('': none), outcome ('': none is counted), how many are counted, number of entries, the
--       entries, then threes of name, JSON, seconds (0: for as long as the record is kept).
local channel, outcome, entries = ARGV[1], ARGV[3], tonumber(ARGV[5] or 0)
if (redis.call('GET', P .. 'intent:' .. channel) or '') ~= ARGV[2] and ARGV[2] .. outcome ~= '' then return 0 end
if ARGV[2] ~= '' then redis.call('DEL', P .. 'intent:' .. channel) end
for i = 6, 5 + entries do
  redis.call('HDEL', P .. 'outbox:' .. channel, ARGV[i])
  redis.call('ZREM', P .. 'outbox-due:' .. channel, ARGV[i])
end
for i = 6 + entries, #ARGV, 3 do
  local told = P .. 'told:' .. ARGV[i]
  redis.call('HSET', told, channel, ARGV[i + 1])
  if ARGV[i + 2] ~= '0' then redis.call('EXPIRE', told, ARGV[i + 2]) end
end
if outcome ~= '' then redis.call('HINCRBY', P .. 'notices', channel .. ' ' .. outcome, ARGV[4]) end
if outcome == 'told' then redis.call('HDEL', P .. 'notify-troubles', channel) end
look_next(channel)
return 1
