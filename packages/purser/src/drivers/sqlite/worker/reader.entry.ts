import { DatabaseSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'
import { prepareReadRows } from '../main/all-rows.ts'
import { prepareBackup } from '../main/backup.ts'
import { prepareEvents } from '../main/events.ts'
import { createUserList } from '../main/list-users.ts'
import { prepareSums } from '../main/sums.ts'
import { prepareTurns } from '../main/turns.ts'
import { serve } from './host.ts'
import type { ReaderCalls } from './threads.ts'

/** How long a read waits for a lock. Nothing else runs in this thread, so it may block. */
const BUSY_TIMEOUT_MS = 2_000

const connection = new DatabaseSync(String(workerData.path), { readOnly: true, timeout: BUSY_TIMEOUT_MS })
connection.exec('PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384')
const { list, count, overview } = createUserList(connection)
const { newest, oldest, tail } = prepareEvents(connection)
serve<ReaderCalls>({
  list,
  count,
  overview,
  newest,
  oldest,
  tail,
  ...prepareTurns(connection),
  ...prepareSums(connection),
  readRows: prepareReadRows(connection),
  backup: prepareBackup(connection),
})
