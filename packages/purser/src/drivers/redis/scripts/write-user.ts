import { MAX_TRIMMED_TURNS } from '../../../storage/commit.ts'

/** How many commits of a user are remembered, to recognize one that is sent again because its reply was lost. */
export const REMEMBERED_COMMITS = 8
/** Length of the id of a commit. */
export const COMMIT_ID_CHARS = 16

/**
 * Functions of the scripts that write users. Every script checks everything before its first write, because Redis undoes
 * nothing, and that first write is one that Redis refuses when its memory is full.
 */
export const WRITE_USER: string = `
local call = redis.call

local function userKeys(first)
  return { user = KEYS[first], records = KEYS[first + 1], names = KEYS[first + 2], events = KEYS[first + 3],
    replies = KEYS[first + 4], lock = KEYS[first + 5], turns = KEYS[first + 6], sums = KEYS[first + 7] }
end

local function ledgerKeys(first)
  return { incarnations = KEYS[first], expiries = KEYS[first + 1], log = KEYS[first + 2], positions = KEYS[first + 3],
    counts = KEYS[first + 4], ids = KEYS[first + 5], seen = KEYS[first + 6], created = KEYS[first + 7],
    peak = KEYS[first + 8], cap = KEYS[first + 9], capUntil = KEYS[first + 10], facets = KEYS[first + 11],
    turns = KEYS[first + 12], sumDays = KEYS[first + 13] }
end

local argument = 0
local function take()
  argument = argument + 1
  return ARGV[argument]
end

-- A list of rows with 'width' columns: their number, then their columns.
local function takeRows(width)
  local rows = {}
  for index = 1, tonumber(take()) do
    local row = {}
    for column = 1, width do row[column] = take() end
    rows[index] = row
  end
  return rows
end

-- Arguments: user id, the same percent-encoded, commit id, '1' for a retry, token of the lock or '', expected revision or
-- '', incarnation, tag or '', new revision, at, seenAt, phase, risk level (both percent-encoded), blocked (0 or 1),
-- capUsed, capUsedUntil, peak, dropEventsBelow or ''; then rows: fields of the row (name, value), records (KIND:NAME, 1 or
-- 0 to delete, value), trims (KIND, keep), replies (key, value, expiresAt), events (sequence, event id, value), turns (id,
-- member); the number of turns to keep or '', the first day of the user's sums or ''; rows: sums of the user (field,
-- amount), days (day), sums of the namespace (index of the day, field, amount). The keys of the days' sums come after the
-- first 'keys' keys.
local function takeCommit(keys)
  local c = { id = take(), encoded = take(), commit = take(), retry = take() == '1', token = take(), expect = take(),
    incarnation = take(), tag = take(), revision = take(), at = take(), seen = take(), phase = take(), risk = take(),
    blocked = take(), cap = take(), capUntil = take(), peak = take(), dropBelow = take() }
  c.fields = takeRows(2)
  c.records = takeRows(3)
  c.trims = takeRows(2)
  c.replies = takeRows(3)
  c.events = takeRows(3)
  c.turns, c.keepTurns, c.sumsFrom, c.userSums = takeRows(2), take(), take(), takeRows(2)
  c.days, c.sums, c.dayKeys = takeRows(1), takeRows(3), keys
  return c
end

local function isLocked(key, token)
  local holder = call('GET', key)
  if token ~= '' then return holder ~= token and 'refused' or false end
  return holder and 'locked' or false
end

local function checkEvents(u, l, c)
  if #c.events == 0 then return end
  local last = tonumber(call('ZREVRANGE', u.events, 0, 0, 'WITHSCORES')[2] or '0')
  local isKnown = {}
  for _, event in ipairs(c.events) do
    local sequence = tonumber(event[1])
    if sequence <= last then return 'CONSTRAINT Event ' .. event[1] .. ' is already stored.' end
    if isKnown[event[2]] or call('HEXISTS', l.positions, event[2]) == 1 then
      return 'CONSTRAINT An event with this id is already stored.'
    end
    isKnown[event[2]] = true
    last = sequence
  end
end

-- Why the commit must not be written: 'done', 'unknown', 'locked', 'refused' or a violated constraint; false: nothing.
local function checkCommit(u, l, c)
  local row = call('HMGET', u.user, 'incarnation', 'revision', 'commits', 'phase', 'risk', 'blocked', 'seen', 'cap',
    'capUntil', 'peak')
  c.row = row
  if c.retry and row[2] then
    if string.find(row[3], c.commit, 1, true) then
      -- A write, so that a WAIT of this connection waits for the commit as well.
      call('HSET', u.user, 'commits', row[3])
      return 'done'
    end
    if tonumber(row[2]) - (tonumber(c.expect) or 0) > ${REMEMBERED_COMMITS} then return 'unknown' end
  end
  local lock = isLocked(u.lock, c.token)
  if lock then return lock end
  if c.expect == '' then
    if row[2] then return 'refused' end
    if c.tag ~= '' and (call('HGET', l.incarnations, c.tag) or '1') ~= c.incarnation then return 'refused' end
  elseif row[2] ~= c.expect or row[1] ~= c.incarnation then
    return 'refused'
  end
  return checkEvents(u, l, c) or false
end

local function count(l, facet, by)
  if call('HINCRBY', l.counts, facet, by) == 0 then call('HDEL', l.counts, facet) end
end

local function setFacet(l, id, name, before, after)
  if before == after then return end
  if before then
    call('ZREM', l.facets, name .. ':' .. before .. ':' .. id)
    count(l, name .. ':' .. before, -1)
  end
  if after then
    call('ZADD', l.facets, 0, name .. ':' .. after .. ':' .. id)
    count(l, name .. ':' .. after, 1)
  end
end

local function setAmount(key, id, before, after)
  if before == after then return end
  if after == '0' then call('ZREM', key, id) else call('ZADD', key, after, id) end
end

local function indexUser(l, c)
  local row = c.row
  if not row[2] then
    call('ZADD', l.ids, 0, c.id)
    call('ZADD', l.created, c.at, c.id)
    count(l, 'users', 1)
  end
  if row[7] ~= c.seen then call('ZADD', l.seen, c.seen, c.id) end
  setFacet(l, c.id, 'phase', row[4], c.phase)
  setFacet(l, c.id, 'risk', row[5], c.risk)
  setFacet(l, c.id, 'blocked', row[6] == '1' and '1', c.blocked == '1' and '1')
  setAmount(l.peak, c.id, row[10] or '0', c.peak)
  local cap, capUntil = row[8] or '0', row[9]
  setAmount(l.cap, c.id, cap, c.cap)
  setAmount(l.capUntil, c.id, cap == '0' and '0' or capUntil, c.cap == '0' and '0' or c.capUntil)
end

local function removeEvents(u, l, id, below)
  local events = call('ZRANGEBYSCORE', u.events, '-inf', below, 'WITHSCORES')
  for index = 1, #events, 2 do
    call('HDEL', l.positions, string.match(events[index], '^(%S+) '))
    call('ZREM', l.log, events[index + 1] .. ':' .. id)
  end
  if #events > 0 then call('ZREMRANGEBYSCORE', u.events, '-inf', below) end
  return #events / 2
end

local function writeRow(u, c)
  local commits = string.sub(c.commit .. (c.row[3] or ''), 1, ${REMEMBERED_COMMITS * COMMIT_ID_CHARS})
  local fields = { 'revision', c.revision, 'commits', commits, 'updated', c.at }
  local function set(name, before, after)
    if before == after then return end
    fields[#fields + 1] = name
    fields[#fields + 1] = after
  end
  local row = c.row
  set('phase', row[4], c.phase)
  set('risk', row[5], c.risk)
  set('blocked', row[6], c.blocked)
  set('seen', row[7], c.seen)
  set('cap', row[8], c.cap)
  set('capUntil', row[9], c.capUntil)
  set('peak', row[10], c.peak)
  if not row[2] then
    set('incarnation', nil, c.incarnation)
    set('created', nil, c.at)
  end
  for _, field in ipairs(c.fields) do set(field[1], nil, field[2]) end
  call('HSET', u.user, unpack(fields))
end

local function writeRecords(u, c)
  for _, record in ipairs(c.records) do
    if record[2] == '1' then
      call('HSET', u.records, record[1], record[3])
      call('ZADD', u.names, 0, record[1])
    else
      call('HDEL', u.records, record[1])
      call('ZREM', u.names, record[1])
    end
  end
  for _, trim in ipairs(c.trims) do
    local first, last = '[' .. trim[1] .. ':', '(' .. trim[1] .. ';'
    local surplus = call('ZLEXCOUNT', u.names, first, last) - tonumber(trim[2])
    if surplus > 0 then
      for _, name in ipairs(call('ZRANGEBYLEX', u.names, first, last, 'LIMIT', 0, surplus)) do
        call('HDEL', u.records, name)
        call('ZREM', u.names, name)
      end
    end
  end
end

local function removeTurns(u, l, id, last)
  local turns = call('ZRANGE', u.turns, 0, last)
  for _, turn in ipairs(turns) do call('ZREM', l.turns, string.match(turn, '^(%S+) ') .. ' ' .. id) end
  if #turns > 0 then call('ZREMRANGEBYRANK', u.turns, 0, last) end
  return #turns
end

-- A sum that would overflow stays as it is: an error would leave the commit half written. Returns whether the sum is new.
local function add(key, field, amount)
  return redis.pcall('HINCRBY', key, field, amount) == tonumber(amount)
end

local function writeTurns(u, l, c)
  for _, turn in ipairs(c.turns) do
    call('ZADD', u.turns, 0, turn[2])
    call('ZADD', l.turns, 0, turn[1] .. ' ' .. c.id)
  end
  if c.keepTurns ~= '' then
    local surplus = call('ZCARD', u.turns) - tonumber(c.keepTurns)
    if surplus > 0 then removeTurns(u, l, c.id, math.min(surplus, ${MAX_TRIMMED_TURNS}) - 1) end
  end
  if c.sumsFrom ~= '' then
    local from = call('HGET', u.sums, 'from')
    if not from or c.sumsFrom < from then call('HSET', u.sums, 'from', c.sumsFrom) end
  end
  for _, sum in ipairs(c.userSums) do add(u.sums, sum[1], sum[2]) end
  for _, sum in ipairs(c.sums) do
    local day = tonumber(sum[1])
    if add(KEYS[c.dayKeys + day], sum[2], sum[3]) then call('ZADD', l.sumDays, 0, c.days[day][1]) end
  end
end

local function writeCommit(u, l, c)
  writeRow(u, c)
  if c.id ~= '' then indexUser(l, c) end
  writeRecords(u, c)
  for _, reply in ipairs(c.replies) do
    call('HSET', u.replies, reply[1], reply[2])
    call('ZADD', l.expiries, reply[3], c.encoded .. ' ' .. reply[1])
  end
  for _, event in ipairs(c.events) do
    local position = call('HINCRBY', l.counts, 'position', 1)
    call('ZADD', u.events, event[1], event[3])
    call('ZADD', l.log, position, event[1] .. ':' .. c.id)
    call('HSET', l.positions, event[2], position)
  end
  writeTurns(u, l, c)
  if c.dropBelow ~= '' then removeEvents(u, l, c.id, '(' .. c.dropBelow) end
  if c.token ~= '' then call('DEL', u.lock) end
end
`
