import { DatabaseSync } from 'node:sqlite'
import type { Subject } from '../../identity.ts'
import type { EventPage, ListedUser, Overview, StoredEvent, TailEvent, UserQuery } from '../../store.ts'
import { prepareEvents } from './events.ts'
import { createListing } from './listing.ts'

/** What takes long: reads that may touch many rows, and whole files. It is done on a thread of its own. */
export interface ReaderCalls {
  list(query: UserQuery): ListedUser[]
  overview(namespace: string): Overview
  newest(user: Subject, page: EventPage): StoredEvent[]
  oldest(user: Subject, page: { readonly after: number; readonly limit: number }): StoredEvent[]
  tail(namespace: string, page: { readonly after: number; readonly limit: number }): TailEvent[]
  /** Writes a whole and consistent copy of the database into a new file. */
  backup(file: string): void
  /** Writes a database anew, without what was left in the unused parts of its pages. */
  vacuum(path: string): void
}

/** How long writing anew waits for the writes of others. */
const VACUUM_BUSY_MS = 10_000

export function prepareReaderCalls(connection: DatabaseSync): ReaderCalls {
  const { list, overview } = createListing(connection)
  const { newest, oldest, tail } = prepareEvents(connection)
  const copy = connection.prepare('VACUUM INTO ?')
  return {
    list,
    overview,
    newest,
    oldest,
    tail,
    backup(file) {
      copy.run(file)
    },
    vacuum(path) {
      using whole = new DatabaseSync(path, { timeout: VACUUM_BUSY_MS })
      whole.exec('PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; VACUUM')
    },
  }
}

/** What goes to the thread. */
export interface ReaderRequest {
  readonly id: number
  readonly call: keyof ReaderCalls
  readonly arguments: readonly unknown[]
}

/** What comes back. */
export type ReaderReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly message: string; readonly resultCode: number | undefined }
