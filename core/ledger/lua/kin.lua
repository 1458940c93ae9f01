-- Which commits have some names: pairs of a name's number, from 0, and a member of its sorted set, at most so many of each.
-- ARGV: how many, what the keys of the sorted sets begin with, and the names' marks, in order, one behind the other (see
-- places.py). Those of one sorted set follow on each other, so that a small one is read once for all that are asked of it.
local LAST = string.rep('\255', 40) -- after every member that begins alike
local MARK, DIGEST = 6, 4
local CHEAPER = 8 -- so many members are read in the time that it takes to look for one name
local most, prefix, marks = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local found, at = {}, 0

local function add(number, member)
  found[at + 1], found[at + 2] = number, member
  at = at + 2
end

local function look_for(key, from, to)
  for i = from, to, MARK do
    local start = '[' .. string.sub(marks, i + 2, i + 5)
    for _, member in ipairs(redis.call('ZREVRANGEBYLEX', key, start .. LAST, start, 'LIMIT', 0, most)) do
      add((i - 1) / MARK, member)
    end
  end
end

local function look_through(key, from, to)
  local number, count = {}, {}
  for i = from, to, MARK do
    local digest = string.sub(marks, i + 2, i + 5)
    number[digest], count[digest] = (i - 1) / MARK, 0
  end
  local members = redis.call('ZRANGE', key, 0, -1)
  for i = #members, 1, -1 do
    local digest = string.sub(members[i], 1, DIGEST)
    local times = count[digest]
    if times and times < most then
      count[digest] = times + 1
      add(number[digest], members[i])
    end
  end
end

local i = 1
while i <= #marks do
  local high, low = string.byte(marks, i, i + 1)
  local last = i
  while last + MARK <= #marks do
    local next_high, next_low = string.byte(marks, last + MARK, last + MARK + 1)
    if next_high ~= high or next_low ~= low then break end
    last = last + MARK
  end
  local key = prefix .. string.format('%03x', high * 256 + low)
  local names = (last - i) / MARK + 1
  if redis.call('ZCARD', key) <= names * CHEAPER then look_through(key, i, last) else look_for(key, i, last) end
  i = last + MARK
end
return found
