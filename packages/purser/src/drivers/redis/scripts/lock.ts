import { defineScript, type Script } from '../script.ts'

export const LOCK: Script = defineScript(`
-- Takes the write locks of several users, or none of them. They end by themselves.
-- Keys: the locks. Arguments: token, ms. Result: 1: taken, also by an earlier attempt; 0: another process has one of them.
for _, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if holder and holder ~= ARGV[1] then return 0 end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
return 1
`)

export const UNLOCK: Script = defineScript(`
-- Releases the locks that a token still has. Keys: the locks. Arguments: token. Result: their number.
local released = 0
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then released = released + redis.call('DEL', key) end
end
return released
`)
