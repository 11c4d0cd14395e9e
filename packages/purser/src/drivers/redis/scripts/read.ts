import { defineScript, type Script } from '../script.ts'

export const RECORDS: Script = defineScript(`
-- One page of records of one kind.
-- Keys: names, records. Arguments: first and last name as of ZRANGE BYLEX, 'REV' or '', limit.
-- Result: name, value, name, value, …
local names
if ARGV[3] == 'REV' then
  names = redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[2], ARGV[1], 'LIMIT', 0, ARGV[4])
else
  names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[4])
end
local result = {}
for _, name in ipairs(names) do
  result[#result + 1] = name
  result[#result + 1] = redis.call('HGET', KEYS[2], name)
end
return result
`)

export const AFTER: Script = defineScript(`
-- A page of a sorted set after a member, which need not be in it any more.
-- Keys: sorted set. Arguments: score and member after which it starts, 'REV' or '', limit. Result: member, score, …
-- Members of one score are in the order of their bytes; '<' would compare them by the server's language.
local function isAfter(a, b)
  for index = 1, math.min(#a, #b) do
    local left, right = string.byte(a, index), string.byte(b, index)
    if left ~= right then return left > right end
  end
  return #a > #b
end
-- The first index that is after it: binary search among the members of this score.
local low = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[1])
local high = low + redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1])
local before = low
while low < high do
  local middle = math.floor((low + high) / 2)
  if isAfter(redis.call('ZRANGE', KEYS[1], middle, middle)[1], ARGV[2]) then high = middle else low = middle + 1 end
end
if ARGV[3] ~= 'REV' then
  return redis.call('ZRANGE', KEYS[1], low, low + ARGV[4] - 1, 'WITHSCORES')
end
-- Backwards: the members before the one at 'low', which is the member itself if it is there.
local last = low - 1
if last >= before and redis.call('ZRANGE', KEYS[1], last, last)[1] == ARGV[2] then last = last - 1 end
if last < 0 then return {} end
local size = redis.call('ZCARD', KEYS[1])
local first = size - 1 - last
return redis.call('ZREVRANGE', KEYS[1], first, first + ARGV[4] - 1, 'WITHSCORES')
`)
