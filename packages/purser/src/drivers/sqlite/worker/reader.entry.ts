import { DatabaseSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'
import { prepareReaderCalls } from '../main/reader-calls.ts'
import { serve } from './host.ts'

/** How long a read waits for a lock. Nothing else runs on this thread, so it may wait. */
const BUSY_TIMEOUT_MS = 2_000

const connection = new DatabaseSync(String(workerData), { readOnly: true, timeout: BUSY_TIMEOUT_MS })
connection.exec('PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384')
serve(prepareReaderCalls(connection))
