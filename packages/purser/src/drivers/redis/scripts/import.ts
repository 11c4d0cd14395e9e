import { defineScript, type Script } from '../script.ts'
import { WRITE_USER } from './write-user.ts'

/*
 * Writes rows as they are. What exists stays unchanged.
 */

export const IMPORT_USER: Script = defineScript(
  WRITE_USER,
  `
-- Keys: those of the user, those of the ledger. Arguments: instant of creation, a commit that has all of the row.
-- Result: 1: written; 0: the user exists.
local user, ledger, created, commit = userKeys(1), ledgerKeys(9), take(), takeCommit(22)
commit.row = call('HMGET', user.user, 'incarnation', 'revision')
if commit.row[2] then return 0 end
writeCommit(user, ledger, commit)
call('HSET', user.user, 'created', created)
if commit.id ~= '' then call('ZADD', ledger.created, created, commit.id) end
return 1
`,
)

export const IMPORT_RECORDS: Script = defineScript(`
-- Keys: records and names of each user. Arguments: index of the user, KIND:NAME, value, …
for index = 1, #ARGV, 3 do
  local user = tonumber(ARGV[index])
  redis.call('HSETNX', KEYS[user * 2 - 1], ARGV[index + 1], ARGV[index + 2])
  redis.call('ZADD', KEYS[user * 2], 0, ARGV[index + 1])
end
return 1
`)

export const IMPORT_REPLIES: Script = defineScript(`
-- Keys: expiries, then the replies of each user.
-- Arguments: index of the user, the percent-encoded id, key, value, expiresAt, …
for index = 1, #ARGV, 5 do
  redis.call('HSETNX', KEYS[ARGV[index] + 1], ARGV[index + 2], ARGV[index + 3])
  redis.call('ZADD', KEYS[1], 'NX', ARGV[index + 4], ARGV[index + 1] .. ' ' .. ARGV[index + 2])
end
return 1
`)

export const IMPORT_TURNS: Script = defineScript(`
-- Keys: turns of all users, then the turns of each user. Arguments: index of the user, member of the user's, of all, …
for index = 1, #ARGV, 3 do
  redis.call('ZADD', KEYS[ARGV[index] + 1], 0, ARGV[index + 1])
  redis.call('ZADD', KEYS[1], 0, ARGV[index + 2])
end
return 1
`)

export const IMPORT_SUMS: Script = defineScript(`
-- Keys: sums of each user or day. Arguments: index of the key, field, amount, …
for index = 1, #ARGV, 3 do redis.call('HSETNX', KEYS[tonumber(ARGV[index])], ARGV[index + 1], ARGV[index + 2]) end
return 1
`)

export const IMPORT_EVENTS: Script = defineScript(`
-- Keys: log, positions, counts, then the events of each user.
-- Arguments: index of the user, user id, sequence, event id, value, …
for index = 1, #ARGV, 5 do
  local user, sequence, id, value = ARGV[index + 1], ARGV[index + 2], ARGV[index + 3], ARGV[index + 4]
  if redis.call('HEXISTS', KEYS[2], id) == 0 then
    local position = redis.call('HINCRBY', KEYS[3], 'position', 1)
    redis.call('ZADD', KEYS[ARGV[index] + 3], sequence, value)
    redis.call('ZADD', KEYS[1], position, sequence .. ':' .. user)
    redis.call('HSET', KEYS[2], id, position)
  end
end
return 1
`)
