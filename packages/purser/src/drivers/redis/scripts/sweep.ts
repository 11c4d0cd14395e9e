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
