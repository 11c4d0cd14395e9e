import { defineScript, type Script } from '../script.ts'

export const COMPARE_AND_SET: Script = defineScript(`
-- Writes a value if the stored one is as expected.
-- Keys: hash. Arguments: field, '1' if a value is expected, the expected value, the new value, '1' for a retry.
-- Result: 1: written, also by an earlier attempt; 0: not.
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[5] == '1' and stored == ARGV[4] then return 1 end
local expected = ARGV[2] == '1' and ARGV[3]
if stored ~= expected then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return 1
`)
