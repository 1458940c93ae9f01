-- One more comparison of a prompt's estimated tokens with what the API counted. Both sums fade, so that the ratio follows
-- a model's new tokenizer within some hundred calls. ARGV: model, estimated, actual, share that stays of the old sums.
for i, name in ipairs({'estimated', 'actual'}) do
  local field = ARGV[1] .. ' ' .. name
  local sum = tonumber(redis.call('HGET', P .. 'calibration', field) or 0)
  redis.call('HSET', P .. 'calibration', field, string.format('%.3f', sum * tonumber(ARGV[4]) + tonumber(ARGV[1 + i])))
end
return 1
