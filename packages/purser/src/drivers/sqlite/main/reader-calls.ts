import type { DatabaseSync } from 'node:sqlite'
import type { Subject } from '../../../core/subject.ts'
import type { EventPage, ListedUser, Overview, StoredEvent, TailEvent, UserQuery } from '../../../storage/store.ts'
import { prepareEvents } from './events.ts'
import { createListing } from './list-users.ts'

/** What takes long: reads that may touch many rows, and copies of the whole. It is done on a thread of its own. */
export interface ReaderCalls {
  list(query: UserQuery): ListedUser[]
  overview(namespace: string): Overview
  newest(user: Subject, page: EventPage): StoredEvent[]
  oldest(user: Subject, page: { readonly after: number; readonly limit: number }): StoredEvent[]
  tail(namespace: string, page: { readonly after: number; readonly limit: number }): TailEvent[]
  /** Writes a whole and consistent copy of the database into a new file. */
  backup(file: string): void
}

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
  }
}
