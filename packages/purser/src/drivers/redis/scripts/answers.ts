import { defineScript, type Script } from '../script.ts'

/** Functions of the scripts for answers. Keys: those of the namespace's answers. */
const ANSWERS = `
local call = redis.call
local rows, sizes, order, expiries, owners, used, generations, counts =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]

local function generationOf(owner)
  return call('HGET', generations, owner) or call('HGET', generations, '') or '0'
end

local function append(key)
  call('ZADD', order, call('HINCRBY', counts, 'position', 1), key)
end

local function remove(key)
  local size = call('HGET', sizes, key)
  if not size then return false end
  local bytes, owner = string.match(size, '^(%d+) (.*)$')
  call('HDEL', rows, key)
  call('HDEL', sizes, key)
  call('ZREM', order, key)
  call('ZREM', expiries, key)
  call('ZREM', owners, owner .. ':' .. key)
  call('SREM', used, key)
  call('HINCRBY', counts, 'entries', -1)
  call('HINCRBY', counts, 'bytes', '-' .. bytes)
  return true
end

local function removeExpired(now, limit)
  local keys = call('ZRANGEBYSCORE', expiries, '-inf', '(' .. now, 'LIMIT', 0, limit)
  for _, key in ipairs(keys) do remove(key) end
  return #keys
end

local function totals()
  return tonumber(call('HGET', counts, 'entries') or '0'), tonumber(call('HGET', counts, 'bytes') or '0')
end

-- What every write returns: entries, bytes, expired rows, and the number of rows that it is about.
local function report(now, rowCount)
  local entries, bytes = totals()
  return { entries, bytes, call('ZCOUNT', expiries, '-inf', '(' .. now), rowCount }
end
`

export const PUT_ANSWERS: Script = defineScript(
  ANSWERS,
  `
-- Writes answers of current generations, then evicts until the namespace is within its limits.
-- Arguments: now, maxEntries, maxBytes; then for each row: owner, key, generation, expiresAt or '', bytes, value.
-- Result: the report with the number of refused rows, their indexes, the keys of evicted rows.
local now, maxEntries, maxBytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local refused, evicted = {}, {}
for first = 4, #ARGV, 6 do
  local owner, key = ARGV[first], ARGV[first + 1]
  if generationOf(owner) ~= ARGV[first + 2] then
    refused[#refused + 1] = (first - 4) / 6
  else
    remove(key)
    call('HSET', rows, key, ARGV[first + 5])
    call('HSET', sizes, key, ARGV[first + 4] .. ' ' .. owner)
    call('ZADD', owners, 0, owner .. ':' .. key)
    append(key)
    if ARGV[first + 3] ~= '' then call('ZADD', expiries, ARGV[first + 3], key) end
    call('HINCRBY', counts, 'entries', 1)
    call('HINCRBY', counts, 'bytes', ARGV[first + 4])
  end
end
local function isOver()
  local entries, bytes = totals()
  return entries > maxEntries or bytes > maxBytes
end
if isOver() then removeExpired(now, -1) end
while isOver() do
  local key = call('ZRANGE', order, 0, 0)[1]
  if not key then break end
  if call('SREM', used, key) == 1 then
    append(key)
  else
    remove(key)
    evicted[#evicted + 1] = key
  end
end
local result = report(now, #refused)
for _, index in ipairs(refused) do result[#result + 1] = index end
for _, key in ipairs(evicted) do result[#result + 1] = key end
return result
`,
)

export const GET_ANSWER: Script = defineScript(
  ANSWERS,
  `
-- Arguments: owner, key. Result: the row, and the generation of its owner.
local size = call('HGET', sizes, ARGV[2])
if not size or string.match(size, '^%d+ (.*)$') ~= ARGV[1] then return { false, '' } end
return { call('HGET', rows, ARGV[2]), generationOf(ARGV[1]) }
`,
)

export const PAGE_ANSWERS: Script = defineScript(
  ANSWERS,
  `
-- Arguments: owner, first and last key as of ZRANGE BYLEX, limit. Result: rows in the order of their keys.
local result = {}
for _, member in ipairs(call('ZRANGEBYLEX', owners, ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])) do
  result[#result + 1] = call('HGET', rows, string.sub(member, #ARGV[1] + 2))
end
return result
`,
)

export const ANSWER_GENERATION: Script = defineScript(
  ANSWERS,
  `
-- Arguments: owner. Result: its generation.
return generationOf(ARGV[1])
`,
)

export const TOUCH_ANSWERS: Script = defineScript(
  ANSWERS,
  `
-- Marks rows as used. Arguments: keys. Result: 0.
for _, key in ipairs(ARGV) do
  if call('HEXISTS', sizes, key) == 1 then call('SADD', used, key) end
end
return 0
`,
)

export const REMOVE_ANSWER: Script = defineScript(
  ANSWERS,
  `
-- Arguments: now, key. Result: the report.
return report(ARGV[1], remove(ARGV[2]) and 1 or 0)
`,
)

export const FORGET_ANSWERS: Script = defineScript(
  ANSWERS,
  `
-- Ends the generation of an owner, and removes its rows. Arguments: now, owner, first and last member of its rows as of
-- ZRANGE BYLEX. Result: the report with the number of removed rows.
call('HSET', generations, ARGV[2], call('HINCRBY', counts, 'generation', 1))
local members = call('ZRANGEBYLEX', owners, ARGV[3], ARGV[4])
for _, member in ipairs(members) do remove(string.sub(member, #ARGV[2] + 2)) end
return report(ARGV[1], #members)
`,
)

export const CLEAR_ANSWERS: Script = defineScript(
  ANSWERS,
  `
-- Ends all generations, and removes all rows. Arguments: now. Result: the report with the number of removed rows.
local entries = totals()
local generation = call('HINCRBY', counts, 'generation', 1)
call('UNLINK', rows, sizes, order, expiries, owners, used, generations)
call('HDEL', counts, 'entries', 'bytes')
call('HSET', generations, '', generation)
return report(ARGV[1], entries)
`,
)

export const SWEEP_ANSWERS: Script = defineScript(
  ANSWERS,
  `
-- Removes expired rows. Arguments: now, limit. Result: the report with the number of removed rows.
local removed = removeExpired(ARGV[1], ARGV[2])
return report(ARGV[1], removed)
`,
)
