import { defineScript, type Script } from '../script.ts'

export const SWEEP_REPLIES: Script = defineScript(`
-- Removes replies of one user that have expired and were not written again.
-- Keys: replies, expiries. Arguments: now, the user's percent-encoded id, keys of replies. Result: their number.
local removed = 0
for index = 3, #ARGV do
  local member = ARGV[2] .. ' ' .. ARGV[index]
  local expiresAt = redis.call('ZSCORE', KEYS[2], member)
  if expiresAt and tonumber(expiresAt) <= tonumber(ARGV[1]) then
    redis.call('ZREM', KEYS[2], member)
    redis.call('HDEL', KEYS[1], ARGV[index])
    removed = removed + 1
  end
end
return removed
`)

export const SWEEP_TURNS: Script = defineScript(`
-- Removes turns of one user.
-- Keys: the user's turns, turns of all users. Arguments: user id, ids of turns. Result: their number.
for index = 2, #ARGV do
  redis.call('ZREMRANGEBYLEX', KEYS[1], '[' .. ARGV[index] .. ' ', '(' .. ARGV[index] .. '!')
  redis.call('ZREM', KEYS[2], ARGV[index] .. ' ' .. ARGV[1])
end
return #ARGV - 1
`)

export const SWEEP_SUMS: Script = defineScript(`
-- Removes the sums of one user of days below one.
-- Keys: the user's sums. Arguments: the day. Result: the number of removed fields.
if not redis.call('HGET', KEYS[1], 'from') then return 0 end
local removed = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local day = string.match(field, '^(%S+) ')
  if day and day < ARGV[1] then
    redis.call('HDEL', KEYS[1], field)
    removed = removed + 1
  end
end
redis.call('HSET', KEYS[1], 'from', ARGV[1])
return removed
`)

export const SWEEP_WINDOWS: Script = defineScript(`
-- Removes users from the order by used cap whose windows ended before an instant.
-- Keys: cap, capUntil. Arguments: the instant, limit. Result: their number.
local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ended) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
return #ended
`)
