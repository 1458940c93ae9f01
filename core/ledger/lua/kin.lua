-- Which commits have some names: pairs of a name's number, from 0, and a member of its sorted set, at most so many of each.
-- ARGV: how many, then pairs of the sorted set that a name belongs in, with what its members begin (see places.py).
local LAST = string.rep('\255', 40) -- after every member that begins alike
local found = {}
for i = 2, #ARGV, 2 do
  local start = '[' .. ARGV[i + 1]
  for _, member in ipairs(redis.call('ZREVRANGEBYLEX', ARGV[i], start .. LAST, start, 'LIMIT', 0, ARGV[1])) do
    found[#found + 1] = i / 2 - 1
    found[#found + 1] = member
  end
end
return found
