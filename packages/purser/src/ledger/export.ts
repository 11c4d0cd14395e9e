import type { Subject } from '../core/subject.ts'
import { readEvent } from '../journal/hash-chain.ts'
import type { StoredEvent } from '../storage/commit.ts'
import type { ExportRow } from './api.ts'
import { bondOf } from './bond.ts'
import type { LedgerDeps } from './deps.ts'
import { NOTE_RECORDS } from './notes.ts'
import { instant, type LedgerView } from './quota.ts'

const PAGE = 500

/**
 * Everything the ledger holds of a user, a page at a time. Reads rows as they are: a chain that does not verify, or
 * a state that cannot be read, is exported as it stands.
 */
export async function* exportRows(house: LedgerDeps, user: Subject): AsyncGenerator<ExportRow, void, undefined> {
  const { store, calls } = house
  const row = await store.users.load(user)
  if (row === undefined) return
  yield { part: 'ledger', type: 'bond', value: await readableBond(house, user, row.state) }
  for (const counter of row.counters) yield { part: 'ledger', type: 'counter', value: counter }
  for (let after = 0; ; ) {
    const events = await calls.run(() => store.events.oldest(user, { after, limit: PAGE }))
    for (const event of events)
      yield { part: 'ledger', type: 'event', at: instant(event.at), value: readable(user, event) }
    if (events.length < PAGE) break
    after = (events.at(-1) as StoredEvent).sequence
  }
  for (let after: string | undefined; ; ) {
    const notes = await store.users.records(user, NOTE_RECORDS, { limit: PAGE, order: 'ascending', after })
    for (const { value } of notes) yield noteRow(value)
    if (notes.length < PAGE) break
    after = notes.at(-1)?.name
  }
}

async function readableBond({ journal, rules }: LedgerDeps, user: Subject, raw: string | null): Promise<unknown> {
  try {
    const view: LedgerView = await journal.read(user)
    return bondOf(rules, user.id, view)
  } catch {
    return { user: user.id, damaged: true, state: raw }
  }
}

function readable(user: Subject, event: StoredEvent): unknown {
  try {
    return readEvent(user.id, event)
  } catch {
    return { ...event, damaged: true }
  }
}

function noteRow(value: string): ExportRow {
  try {
    const note = JSON.parse(value) as { at: string }
    return { part: 'ledger', type: 'note', at: note.at, value: note }
  } catch {
    return { part: 'ledger', type: 'note', value }
  }
}
