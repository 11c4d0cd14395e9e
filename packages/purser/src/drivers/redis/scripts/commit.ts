import { defineScript, type Script } from '../script.ts'
import { WRITE_USER } from './write-user.ts'

export const COMMIT: Script = defineScript(
  WRITE_USER,
  `
-- One atomic change of one user.
-- Keys: those of the user, those of the ledger, the sums of days. Arguments: the commit.
-- Result: 'ok'; 'done': an earlier attempt has written it; 'refused': decided on another revision or incarnation;
-- 'locked': another process has the lock; 'unknown': so many commits followed that it is unknown whether an earlier
-- attempt has written it. An error CONSTRAINT: nothing was written.
local user, ledger, commit = userKeys(1), ledgerKeys(9), takeCommit(22)
local fault = checkCommit(user, ledger, commit)
if fault then
  if string.sub(fault, 1, 10) == 'CONSTRAINT' then return redis.error_reply(fault) end
  return fault
end
writeCommit(user, ledger, commit)
return 'ok'
`,
)
