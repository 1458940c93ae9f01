-- Which commits have some names: pairs of a name's number, from 0, and a member of its sorted set, at most so many of each.
-- ARGV: how many, what the keys of the sorted sets begin with, and the names' marks, one behind the other (see places.py).
local LAST = string.rep('\255', 40) -- after every member that begins alike
local MARK = 6
local most, prefix, marks = ARGV[1], ARGV[2], ARGV[3]
local found = {}
for i = 1, #marks, MARK do
  local high, low = string.byte(marks, i, i + 1)
  local key, start = prefix .. string.format('%03x', high * 256 + low), '[' .. string.sub(marks, i + 2, i + 5)
  for _, member in ipairs(redis.call('ZREVRANGEBYLEX', key, start .. LAST, start, 'LIMIT', 0, most)) do
    found[#found + 1] = (i - 1) / MARK
    found[#found + 1] = member
  end
end
return found
