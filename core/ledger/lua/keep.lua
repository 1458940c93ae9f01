-- Adds fragments to those of a day, or puts them in their place. Returns 1, or 0 where there are too many bytes already.
-- ARGV: most bytes, until when they are kept (unix seconds), whether what is there goes first (0 or 1), then pairs of a
--       key and what is added there.
local bytes, lengths, anew = 0, {}, ARGV[3] == '1'
for i = 4, #ARGV, 2 do
  lengths[i] = redis.call('STRLEN', ARGV[i])
  bytes = bytes + lengths[i] + #ARGV[i + 1]
end
if bytes > tonumber(ARGV[1]) then return 0 end
for i = 4, #ARGV, 2 do
  if anew then redis.call('DEL', ARGV[i]) end
  redis.call('APPEND', ARGV[i], ARGV[i + 1])
  if anew or lengths[i] == 0 then redis.call('EXPIREAT', ARGV[i], ARGV[2]) end
end
return 1
