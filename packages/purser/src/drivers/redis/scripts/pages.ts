import { defineScript, type Script } from '../script.ts'

/*
 * Pages of rows of many users: a round trip each, instead of one per user. Each ends at a number of rows or of bytes.
 */

export const USER_ROWS: Script = defineScript(`
-- Fields of the rows of users. The page ends with the user with whom it reaches the bytes.
-- Keys: the hash of each user. Arguments: rows, bytes, fields. Result: the values of each user, in one list each.
local result, bytes = {}, 0
for index = 1, math.min(#KEYS, tonumber(ARGV[1])) do
  local values = redis.call('HMGET', KEYS[index], unpack(ARGV, 3))
  result[index] = values
  for field = 1, #ARGV - 2 do bytes = bytes + #(values[field] or '') end
  if bytes >= tonumber(ARGV[2]) then break end
end
return result
`)

export const NAMED_ROWS: Script = defineScript(`
-- Names and values of users, in the order of names.
-- Keys: the sorted set of names and the hash of values of each user. Arguments: rows, bytes, the name after which the first
-- user starts or '', 'VALUES' or '': there are none.
-- Result: 1: the page ended with the last row, 0: at the end of the last user; then index of the user, name, value, …
local result, rows, bytes = { 0 }, 0, 0
for user = 1, #KEYS / 2 do
  local first = (user == 1 and ARGV[3] ~= '') and '(' .. ARGV[3] or '-'
  for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[user * 2 - 1], first, '+', 'LIMIT', 0, ARGV[1] - rows)) do
    local value = ARGV[4] == 'VALUES' and redis.call('HGET', KEYS[user * 2], name) or ''
    rows, bytes = rows + 1, bytes + #name + #value
    result[rows * 3 - 1], result[rows * 3], result[rows * 3 + 1] = user, name, value
    if rows == tonumber(ARGV[1]) or bytes >= tonumber(ARGV[2]) then
      result[1] = 1
      return result
    end
  end
end
return result
`)

export const HASHES: Script = defineScript(`
-- Whole hashes. The page ends with the hash with which it reaches the rows or bytes.
-- Keys: hashes. Arguments: rows, bytes. Result: a list of field, value, … of each hash.
local result, rows, bytes = {}, 0, 0
for index = 1, #KEYS do
  local all = redis.call('HGETALL', KEYS[index])
  result[index], rows = all, rows + #all / 2
  for _, text in ipairs(all) do bytes = bytes + #text end
  if rows >= tonumber(ARGV[1]) or bytes >= tonumber(ARGV[2]) then break end
end
return result
`)

export const EVENTS: Script = defineScript(`
-- Events of many users. The page ends with the event with which it reaches the bytes.
-- Keys: the events of each user. Arguments: bytes, then index of the user, sequence, …
-- Result: values; those of events that are not there are missing.
local result, bytes = {}, 0
for index = 2, #ARGV, 2 do
  local value = redis.call('ZRANGEBYSCORE', KEYS[tonumber(ARGV[index])], ARGV[index + 1], ARGV[index + 1])[1]
  result[index / 2] = value or false
  bytes = bytes + #(value or '')
  if bytes >= tonumber(ARGV[1]) then break end
end
return result
`)
