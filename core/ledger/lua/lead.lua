-- One of many processes leads: takes the lead when nobody has it, keeps it when it is this one's, gives it up with 0 s.
-- ARGV: which lead, holder, seconds. Returns who leads now, '' for nobody.
local key = P .. 'lead:' .. ARGV[1]
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[2] then return holder end
if tonumber(ARGV[3]) == 0 then
  redis.call('DEL', key)
  return ''
end
redis.call('SET', key, ARGV[2], 'PX', math.ceil(tonumber(ARGV[3]) * 1000))
return ARGV[2]
