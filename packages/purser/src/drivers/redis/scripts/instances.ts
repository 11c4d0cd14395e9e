import { defineScript, type Script } from '../script.ts'

/** Keys: those of the instances. Times are those of the server, ms. */
const INSTANCES = `
local call = redis.call
local values, written = KEYS[1], KEYS[2]
local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`

export const PUBLISH_INSTANCE: Script = defineScript(
  INSTANCES,
  `
-- Writes a row, and deletes those that were written too long ago. Arguments: id, value, deadAfterMs. Result: rows deleted.
local dead = call('ZRANGEBYSCORE', written, '-inf', '(' .. (now - tonumber(ARGV[3])))
call('HSET', values, ARGV[1], ARGV[2])
for _, id in ipairs(dead) do
  if id ~= ARGV[1] then
    call('HDEL', values, id)
    call('ZREM', written, id)
  end
end
call('ZADD', written, now, ARGV[1])
return #dead
`,
)

export const LIST_INSTANCES: Script = defineScript(
  INSTANCES,
  `
-- Arguments: maxAgeMs. Result: id, age, value of each row, in no particular order.
local result = {}
local found = call('ZRANGEBYSCORE', written, now - tonumber(ARGV[1]), '+inf', 'WITHSCORES')
for index = 1, #found, 2 do
  local value = call('HGET', values, found[index])
  if value then
    result[#result + 1] = found[index]
    result[#result + 1] = math.max(0, now - tonumber(found[index + 1]))
    result[#result + 1] = value
  end
end
return result
`,
)

export const REMOVE_INSTANCE: Script = defineScript(
  INSTANCES,
  `
-- Arguments: id. Result: 1: removed; 0: unknown.
call('ZREM', written, ARGV[1])
return call('HDEL', values, ARGV[1])
`,
)
