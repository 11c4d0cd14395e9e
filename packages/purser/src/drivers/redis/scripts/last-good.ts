import { defineScript, type Script } from '../script.ts'

/** Functions of the scripts that write last good contexts. Keys: those of the namespace's contexts. */
const CONTEXTS = `
local call = redis.call
local values, leases, names, order = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local function remove(name)
  call('HDEL', values, name)
  call('HDEL', leases, name)
  call('ZREM', names, name)
  call('ZREM', order, name)
end

-- incarnation, loadedAt, lease; nothing when there is no row
local function read(name)
  local lease = call('HGET', leases, name)
  if lease then return string.match(lease, '^(%d+) (%-?[%d.]+) (.*)$') end
end

local function write(name, incarnation, loadedAt, lease)
  call('HSET', leases, name, incarnation .. ' ' .. loadedAt .. ' ' .. lease)
  call('ZADD', names, 0, name)
  local last = call('ZREVRANGE', order, 0, 0, 'WITHSCORES')[2] or '0'
  call('ZADD', order, tonumber(last) + 1, name)
end
`

export const OPEN_CONTEXT: Script = defineScript(
  CONTEXTS,
  `
-- Takes a lease. Arguments: user and section, incarnation, candidate, maxRows.
-- Result: lease, loadedAt, value or nothing; nothing when there is a row of a later incarnation.
local incarnation, loadedAt, lease = read(ARGV[1])
if incarnation and tonumber(incarnation) > tonumber(ARGV[2]) then return {} end
if incarnation == ARGV[2] then return { lease, loadedAt, call('HGET', values, ARGV[1]) } end
remove(ARGV[1])
write(ARGV[1], ARGV[2], '-1', ARGV[3])
local surplus = call('ZCARD', order) - tonumber(ARGV[4])
if surplus > 0 then
  for _, name in ipairs(call('ZRANGE', order, 0, surplus - 1)) do remove(name) end
end
return { ARGV[3], '-1', false }
`,
)

export const PUT_CONTEXT: Script = defineScript(
  CONTEXTS,
  `
-- Writes if the lease is still the row's and there is no newer data.
-- Arguments: user and section, lease, loadedAt, value. Result: 1: written; 0: not.
local incarnation, loadedAt, lease = read(ARGV[1])
if lease ~= ARGV[2] or tonumber(loadedAt) > tonumber(ARGV[3]) then return 0 end
write(ARGV[1], incarnation, ARGV[3], lease)
call('HSET', values, ARGV[1], ARGV[4])
return 1
`,
)

export const DROP_CONTEXTS: Script = defineScript(
  CONTEXTS,
  `
-- Removes rows. Arguments: first and last user and section as of ZRANGE BYLEX. Result: their number.
local found = call('ZRANGEBYLEX', names, ARGV[1], ARGV[2])
for _, name in ipairs(found) do remove(name) end
return #found
`,
)
