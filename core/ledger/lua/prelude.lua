-- Shared by every script: the names of keys, the clock, and who holds a commit.
-- A commit's work is the hash work:ID (stage, token, attempts, losses, lost, suspect, queued, not_before); its place
-- in due:STAGE is when the sweep must look at it: the end of its lease, of its retry's wait, or of patience with the queue.
local P = 'daybook:'
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

local function work_key(id) return P .. 'work:' .. id end
local function due_key(stage) return P .. 'due:' .. stage end

-- The stage of a commit when this token still holds it; false when the lease was lost or the work is over.
local function held(id, token)
  local work = redis.call('HMGET', work_key(id), 'token', 'stage')
  if not work[1] or work[1] == '' or work[1] ~= token then return false end
  return work[2]
end

-- One more of what became of the work of a stage: done, put_off, paused, given_up, lost.
local function meter(stage, outcome) redis.call('HINCRBY', P .. 'meters', stage .. ' ' .. outcome, 1) end

-- How many suspects are held now; forgets the holders of those that are done.
local function held_alone()
  local count, rows = 0, redis.call('HGETALL', P .. 'alone')
  for i = 1, #rows, 2 do
    local token, id = string.match(rows[i + 1], '^(%S+) (.+)$')
    if id and held(id, token) then
      count = count + 1
    elseif not id or redis.call('EXISTS', work_key(id)) == 0 then
      redis.call('HDEL', P .. 'alone', rows[i])
    end
  end
  return count
end

local function expect(key, kind)
  local found = redis.call('TYPE', key)['ok']
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. kind)
  end
end

-- Puts a commit at the start of the pipeline and hands its message to the worker.
local function open(id, queue, message, patience)
  redis.call('DEL', work_key(id))
  redis.call('ZREM', P .. 'suspects', id)
  redis.call('HSET', work_key(id), 'stage', 'fetch', 'token', '', 'attempts', 0, 'losses', 0, 'suspect', 0,
    'queued', 1, 'not_before', 0)
  redis.call('ZADD', due_key('fetch'), now + patience, id)
  redis.call('ZADD', P .. 'open', now, id)
  redis.call('LPUSH', queue, message)
end
