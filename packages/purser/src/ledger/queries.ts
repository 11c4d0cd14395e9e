import { withSignal } from '../core/abort.ts'
import { readPage } from '../core/long-read.ts'
import type { Subject } from '../core/subject.ts'
import {
  parseInteger,
  parseOptionalInstant,
  parsePageLimit,
  validateOptions,
  validatePeriod,
} from '../core/validate.ts'
import { readEvent } from '../journal/hash-chain.ts'
import { decodeJson } from '../journal/snapshot.ts'
import type { StoredEvent, UserRow } from '../storage/commit.ts'
import type { InternalUserLedger, LedgerExport, UserLedger } from './api.ts'
import { bondOf } from './bond.ts'
import { formatInstant } from './calendar.ts'
import { verifyWithCheckpoint } from './checkpoint.ts'
import type { LedgerDeps } from './deps.ts'
import type { Counter } from './limits/counter.ts'
import { listCounters } from './limits/counters.ts'
import { useRows } from './limits/exported-use.ts'
import type { LimitState } from './limits/limit-state.ts'
import { parseStoredUsage } from './limits/stored-usage.ts'
import { NOTE_RECORDS } from './notes.ts'
import { limitsAt } from './quota.ts'
import { INITIAL_STATE } from './state.ts'
import { validateEventTypes } from './tail.ts'
import { readTurns } from './turns/read-turns.ts'
import { readUserSums } from './turns/read-usage.ts'
import { verifyUser } from './verify.ts'

type Queries = Pick<UserLedger, 'bond' | 'events' | 'verify'> & Pick<InternalUserLedger, 'exportRows'>

/** Reads of one user. They write nothing. */
export function createQueries(deps: LedgerDeps, user: Subject): Queries {
  const { journal, store, keys, calls, rules } = deps
  return {
    async bond(options = {}) {
      validateOptions('bond', options, [])
      return bondOf(rules, user.id, await withSignal(journal.read(user), options.signal))
    },

    async events(options = {}) {
      validateOptions('events', options, ['limit', 'before', 'types', 'from', 'to'])
      const { before, types, signal } = options
      const limit = parsePageLimit(options.limit)
      if (before !== undefined) parseInteger(before, { name: 'before', min: 0 })
      validateEventTypes(types)
      const from = parseOptionalInstant(options.from, 'from')
      const to = parseOptionalInstant(options.to, 'to')
      validatePeriod(from, to)
      if (limit === 0 || types?.length === 0) return []
      const page = calls.run(() => store.events.newest(user, { limit, before, types, from, to }))
      return (await withSignal(page, signal)).map((event) => readEvent(user.id, event))
    },

    async verify(options = {}) {
      validateOptions('verify', options, ['checkpoint'])
      const { checkpoint, signal } = options
      const { namespace } = user
      const check = calls.run(() =>
        verifyWithCheckpoint({ store, keys, namespace }, checkpoint, () => verifyUser({ store, keys }, user)),
      )
      return withSignal(check, signal)
    },

    exportRows: () => exportRows(deps, user),
  }
}

const EXPORT_PAGE = 500

/** Exports page by page. A chain that does not verify and a state that cannot be read are exported as stored. */
async function* exportRows(deps: LedgerDeps, user: Subject): AsyncGenerator<LedgerExport, void, undefined> {
  const { store, calls, journal } = deps
  await journal.flush(user)
  const row = await store.users.load(user)
  if (row === undefined) return
  yield { part: 'ledger', type: 'bond', value: await exportBond(deps, user, row.state) }
  for (const value of await readSetLimits(deps, user)) yield { part: 'ledger', type: 'limit', value }
  yield* exportUse(deps, row)
  for (let after = 0; ; ) {
    const page = { after, limit: EXPORT_PAGE }
    const events = await calls.run(() => readPage(() => store.events.oldest(user, page)))
    for (const event of events)
      yield { part: 'ledger', type: 'event', at: formatInstant(event.at), value: exportEvent(user, event) }
    if (events.length < EXPORT_PAGE) break
    after = (events.at(-1) as StoredEvent).sequence
  }
  for (let after: string | undefined; ; ) {
    const page = { limit: EXPORT_PAGE, order: 'ascending', after } as const
    const notes = await readPage(() => store.users.records(user, NOTE_RECORDS, page))
    for (const { value } of notes) yield exportNote(value)
    if (notes.length < EXPORT_PAGE) break
    after = notes.at(-1)?.name
  }
  for await (const turn of readTurns(deps, user.namespace, { user: user.id }))
    yield { part: 'ledger', type: 'turn', at: turn.at, value: turn }
  for await (const value of readUserSums(deps, user)) yield { part: 'ledger', type: 'usage', value }
}

/** What was used of every limit, by window. Usage that cannot be read is exported as stored. */
function* exportUse({ rules }: LedgerDeps, { state, usage }: UserRow): Generator<LedgerExport> {
  if (usage === null) return
  let counters: readonly Counter[]
  try {
    counters = listCounters(parseStoredUsage(rules, JSON.parse(usage), decodeJson(INITIAL_STATE, state)).counters)
  } catch {
    yield { part: 'ledger', type: 'counter', value: usage }
    return
  }
  for (const counter of counters) for (const value of useRows(counter)) yield { part: 'ledger', type: 'counter', value }
}

/** The limits that operators and the person have set. */
async function readSetLimits({ journal, rules }: LedgerDeps, user: Subject): Promise<LimitState[]> {
  try {
    const limits = limitsAt(rules, await journal.read(user))
    return limits.filter(({ origin, pending }) => origin === 'user' || origin === 'self' || pending !== null)
  } catch {
    return []
  }
}

async function exportBond({ journal, rules }: LedgerDeps, user: Subject, state: string | null): Promise<unknown> {
  try {
    return bondOf(rules, user.id, await journal.read(user))
  } catch {
    return { user: user.id, damaged: true, state }
  }
}

function exportEvent(user: Subject, event: StoredEvent): unknown {
  try {
    return readEvent(user.id, event)
  } catch {
    return { ...event, damaged: true }
  }
}

function exportNote(value: string): LedgerExport {
  try {
    const note = JSON.parse(value) as { at: string }
    return { part: 'ledger', type: 'note', at: note.at, value: note }
  } catch {
    return { part: 'ledger', type: 'note', value }
  }
}
