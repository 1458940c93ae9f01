-- Shared by every script: the names of keys, the clock, and who holds a commit.
-- A commit's work is the hash work:ID (stage, token, attempts, losses, lost, suspect, queued, not_before, and `again`
-- for one that was analysed before, `batch`, `sent` and `parked_at` for one that was left to a batch); its place in
-- due:STAGE is when the sweep must look at it: the end of its lease, of its retry's wait, or of patience with the
-- queue.
local P = 'daybook:'
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

local function work_key(id) return P .. 'work:' .. id end
-- The hash in which a commit that was ever received stands, by the rest of its sha; see core/ledger/places.py.
local function sha_key(repository, sha) return P .. 'shas:' .. repository .. ':' .. string.sub(sha, 1, 2) end
local function due_key(stage) return P .. 'due:' .. stage end

-- The stage of a commit when this token still holds it; false when the lease was lost or the work is over.
local function held(id, token)
  local work = redis.call('HMGET', work_key(id), 'token', 'stage')
  if not work[1] or work[1] == '' or work[1] ~= token then return false end
  return work[2]
end

-- One more of what became of the work of a stage: done, put_off, paused, given_up, lost.
local function meter(stage, outcome) redis.call('HINCRBY', P .. 'meters', stage .. ' ' .. outcome, 1) end

-- Counts one run of a stage. ARGV[from] and what follows: its bucket in the histogram ('': there was no run), seconds.
local function ran(stage, from)
  if ARGV[from] == '' then return end
  redis.call('HINCRBY', P .. 'meters', stage .. ' le ' .. ARGV[from], 1)
  redis.call('HINCRBYFLOAT', P .. 'meters', stage .. ' seconds', ARGV[from + 1])
end

-- What a person corrected a commit to, as JSON; nothing when nobody did.
local function correction(id)
  local repository, sha = string.match(id, '^(.+)@(.+)$')
  return redis.call('HGET', P .. 'corrections:' .. repository, sha)
end

-- Counts what model calls cost: to the day and to all time, in all and by repository and tier. ARGV[from] and what
-- follows are the amounts, in this order. The first 200 repositories have figures of their own, the rest are `other`.
local SPENDING = {'cost_usd', 'model_calls', 'input_tokens', 'cached_tokens', 'cache_write_tokens', 'output_tokens'}
local MOST_SPENDERS = 200
local function spend(day, repository, tier, from)
  local spenders, named = P .. 'spenders', repository
  if redis.call('SISMEMBER', spenders, repository) == 0 and redis.call('SCARD', spenders) >= MOST_SPENDERS then
    named = 'other'
  end
  local any = false
  for i, kind in ipairs(SPENDING) do
    local amount = ARGV[from + i - 1]
    if tonumber(amount) ~= 0 then
      any = true
      for _, key in ipairs({P .. 'count:' .. day, P .. 'totals'}) do redis.call('HINCRBYFLOAT', key, kind, amount) end
      for _, key in ipairs({P .. 'spent:' .. day, P .. 'spent'}) do
        redis.call('HINCRBYFLOAT', key, named .. ' ' .. tier .. ' ' .. kind, amount)
      end
    end
  end
  if not any then return end
  if named == repository then redis.call('SADD', spenders, repository) end
  redis.call('EXPIRE', P .. 'count:' .. day, 400 * 86400)
  redis.call('EXPIRE', P .. 'spent:' .. day, 400 * 86400)
end

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

-- The work on a commit that a worker may begin with now: {stage, token, not before, suspect, attempts, lost, losses,
-- batch}; nothing when it is over, held by another, not due yet, belongs to the other lane, is in another stage than
-- `stage` (of suspects, any will do), or was lost so often that the sweep is about to give it up.
local function claimable(id, stage, alone, most_losses)
  local work = redis.call('HMGET', work_key(id), 'stage', 'token', 'not_before', 'suspect', 'attempts', 'lost', 'losses',
    'batch')
  if not work[1] or work[2] ~= '' or tonumber(work[3]) > now then return nil end
  if (work[4] == '1') ~= alone or not (alone or work[1] == stage) then return nil end
  if tonumber(work[7] or 0) >= most_losses then return nil end
  return work
end

-- Takes the lease on claimable work. Returns {id, stage, record, diff, attempts, lost leases, correction, batch}.
local function lease(id, work, token, seconds)
  redis.call('HSET', work_key(id), 'token', token, 'queued', 0)
  redis.call('ZADD', due_key(work[1]), now + seconds, id)
  local diff = redis.call('GET', P .. 'diff:' .. id)
  return {id, work[1], redis.call('GET', P .. 'record:' .. id), diff or '', tonumber(work[5]), tonumber(work[6] or 0),
    correction(id) or '', work[8] or ''}
end

-- Ends a commit's wait for a batch: it is due now, unless somebody holds it already. `batch` is what is noted of it.
local function unpark(id, batch)
  local work = redis.call('HMGET', work_key(id), 'token', 'stage')
  redis.call('HSET', work_key(id), 'batch', batch)
  if work[1] ~= '' then return end
  redis.call('HSET', work_key(id), 'queued', 0, 'not_before', 0)
  redis.call('ZADD', due_key(work[2]), now, id)
  redis.call('ZADD', P .. 'open', now, id)
end

-- When a channel's outbox is to be looked at next: when the first of its entries is due.
local function look_next(channel)
  local first = redis.call('ZRANGE', P .. 'outbox-due:' .. channel, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', P .. 'outboxes', first[2], channel)
  else
    redis.call('ZREM', P .. 'outboxes', channel)
  end
end

local function expect(key, kind)
  local found = redis.call('TYPE', key)['ok']
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. kind)
  end
end

-- Runs a command of many arguments, with or without a key before them, on as many at a time as Lua's stack takes.
-- Returns what it answered, one after the other. Calling a command costs more than running it: once for all is cheap.
local AT_ONCE = 4000
local function many(command, key, arguments)
  local answers = {}
  for from = 1, #arguments, AT_ONCE do
    local to = math.min(from + AT_ONCE - 1, #arguments)
    local answer = key and redis.call(command, key, unpack(arguments, from, to))
      or redis.call(command, unpack(arguments, from, to))
    if type(answer) == 'table' then
      for i, value in ipairs(answer) do answers[from + i - 1] = value end
    end
  end
  return answers
end

-- Puts commits at the start of the pipeline and hands their messages, as many, to the workers. Of those that were there
-- before, `again`, nothing is left behind.
local function open(ids, queue, messages, patience, again)
  local works, due, owed = {}, {}, {}
  local later, since = string.format('%.6f', now + patience), string.format('%.6f', now)
  for i, id in ipairs(ids) do
    works[i] = work_key(id)
    due[2 * i - 1], due[2 * i] = later, id
    owed[2 * i - 1], owed[2 * i] = since, id
  end
  local left = {}
  for i, id in ipairs(again) do left[i] = work_key(id) end
  many('DEL', nil, left)
  many('ZREM', P .. 'suspects', again)
  for _, work in ipairs(works) do
    redis.call('HSET', work, 'stage', 'fetch', 'token', '', 'attempts', '0', 'queued', '1', 'not_before', '0')
  end
  many('ZADD', due_key('fetch'), due)
  many('ZADD', P .. 'open', owed)
  many('LPUSH', queue, messages)
end
