import { DatabaseSync } from 'node:sqlite'
import type { Database } from '../database.ts'

/** What the writer of a file can do with the whole of it. No write runs meanwhile. */
export interface FileCalls {
  /** Moves the write-ahead log into the file and cuts it to nothing; false while a reader still needs it. */
  truncateLog(): boolean
  /** Writes the file anew, without what was left in the unused parts of its pages. */
  vacuum(): void
  /** Finishes the waiting writes, then closes the file. */
  close(): Promise<void>
}

/** How long writing anew waits for the writes of other processes. */
const VACUUM_BUSY_MS = 10_000

export function fileCalls({ path, endHold, truncateLog, close }: Database): FileCalls {
  return {
    truncateLog,
    vacuum() {
      endHold()
      using whole = new DatabaseSync(path, { timeout: VACUUM_BUSY_MS })
      whole.exec('PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; VACUUM')
    },
    close,
  }
}
