import { defineScript, type Script } from '../script.ts'
import { WRITE_USER } from './write-user.ts'

export const ERASE: Script = defineScript(
  WRITE_USER,
  `
-- Ends an incarnation: removes a user with everything, and writes one event to the log of the namespace.
-- Keys: those of the log, those of the ledger, those of the user, the sums of days. Arguments: user id, the same percent-encoded, tag,
-- incarnation that ends, the next one, the expected revision or '', the commit of the log.
-- Result: as of a commit, but for 'ok' and 'done': 'ok' with numbers of removed rows, such as 'user 1 events 3 note 2'.
local log, ledger, user = userKeys(1), ledgerKeys(9), userKeys(23)
local id, encoded, tag, incarnation, nextIncarnation, revision = take(), take(), take(), take(), take(), take()
local commit = takeCommit(30)
local fault = checkCommit(log, ledger, commit)
if fault == 'done' then
  local known = call('HGET', log.user, 'erasure') or ''
  if string.sub(known, 1, #commit.commit) == commit.commit then return 'ok' .. string.sub(known, #commit.commit + 1) end
  return 'ok user 1'
end
fault = fault or isLocked(user.lock, commit.token)
local row = call('HMGET', user.user, 'incarnation', 'phase', 'risk', 'blocked', 'revision')
local current = row[1] or call('HGET', ledger.incarnations, tag) or '1'
if not fault and current ~= incarnation then fault = 'refused' end
if not fault and revision ~= '' and row[5] ~= revision then fault = 'refused' end
if fault then
  if string.sub(fault, 1, 10) == 'CONSTRAINT' then return redis.error_reply(fault) end
  return fault
end

call('HSET', ledger.incarnations, tag, nextIncarnation)
local counts = ' user ' .. (row[1] and 1 or 0) .. ' events ' .. removeEvents(user, ledger, id, '+inf')
counts = counts .. ' turns ' .. removeTurns(user, ledger, id, -1)
local isKnown, sums = {}, 0
for _, field in ipairs(call('HKEYS', user.sums)) do
  local day, hour, key = string.match(field, '^(%S+) (%S+) %S+ (.*)$')
  if day and not isKnown[day .. ' ' .. hour .. key] then
    isKnown[day .. ' ' .. hour .. key] = true
    sums = sums + 1
  end
end
counts = counts .. ' usage ' .. sums
local kinds = {}
for _, name in ipairs(call('ZRANGE', user.names, 0, -1)) do
  local kind = string.match(name, '^([^:]*):')
  kinds[kind] = (kinds[kind] or 0) + 1
end
for kind, amount in pairs(kinds) do counts = counts .. ' ' .. kind .. ' ' .. amount end
for _, key in ipairs(call('HKEYS', user.replies)) do call('ZREM', ledger.expiries, encoded .. ' ' .. key) end
if row[1] then
  count(ledger, 'users', -1)
  setFacet(ledger, id, 'phase', row[2], false)
  setFacet(ledger, id, 'risk', row[3], false)
  setFacet(ledger, id, 'blocked', row[4] == '1' and '1', false)
  for _, key in ipairs({ ledger.ids, ledger.seen, ledger.created, ledger.peak, ledger.cap, ledger.capUntil }) do
    call('ZREM', key, id)
  end
end
call('UNLINK', user.user, user.records, user.names, user.events, user.replies, user.lock,
  user.turns, user.sums)
writeCommit(log, ledger, commit)
call('HSET', log.user, 'erasure', commit.commit .. counts)
return 'ok' .. counts
`,
)
