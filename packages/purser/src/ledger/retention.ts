import type { Subject } from '../core/subject.ts'
import type { Write } from '../journal/api.ts'
import { type ChainOf, parseBody } from '../journal/hash-chain.ts'
import type { LedgerDeps } from './deps.ts'
import { rebuild } from './evolve.ts'
import { INITIAL, type LedgerState, type Measurements, type Tombstone } from './state.ts'
import { TICKET_LIFE_MS, TICKET_RECORDS, ticketRecord } from './tickets.ts'
import { checkEvent } from './verify.ts'

/*
 * Retention removes a user's oldest events only by the declared policy, and leaves a counted tombstone: an event that
 * says how many went, the MAC the first kept one hangs on, and what the removed ones folded to. So the chain still
 * verifies, and folding what is kept still gives the state.
 */

type Rooms = Pick<LedgerDeps, 'journal' | 'store' | 'keys' | 'effects' | 'rules'>

/** Events are removed in groups of a twentieth of what is kept, so that a busy log does not write a tombstone each time. */
const GROUPS = 20
/** Removed at once; the rest follows at the next occasion. */
const MAX_REMOVED = 10_000

/** Writes, and lets retention follow where events are kept in a limited number. */
export async function writeAndRetain<Result>(
  house: Rooms,
  user: Subject,
  order: Write<LedgerState, Measurements, Result>,
): Promise<Result> {
  const result = await house.journal.write(user, order)
  await retain(house, user)
  return result
}

/** Brings a user's log down to the events that are to be kept. A failure is left to the next occasion. */
export async function retain(house: Rooms, user: Subject): Promise<void> {
  const keep = house.rules.keepEvents
  if (keep === null) return
  try {
    const { version, incarnation, state } = await house.journal.read(user)
    const firstKept = state.tombstone?.firstKept ?? 1
    if (version - firstKept + 1 <= keep + Math.floor(keep / GROUPS)) return
    // The event that tells of it is kept as well.
    const removable = Math.min(version - firstKept + 2 - keep, version - firstKept + 1, MAX_REMOVED)
    const tombstone = await buried(house, { chain: { user, incarnation }, state, count: removable })
    await house.journal.write(user, {
      incarnation,
      decide: (view) => {
        if (tombstone === undefined || (view.state.tombstone?.firstKept ?? 1) !== firstKept)
          return { result: () => undefined }
        const policy = `keepEvents ${keep}`
        return {
          events: [
            { type: 'retention', detail: `${removable} events removed`, data: { tombstone }, actor: 'purser', policy },
          ],
          dropEventsBelow: tombstone.firstKept,
          result: () => undefined,
        }
      },
    })
  } catch {
    // The caller's own write is through, and must not seem to have failed. What is left over is told by the log's length.
  }
}

/**
 * The tombstone of the oldest `count` events; undefined when they are not all there. Throws when one was changed: what
 * shows that is not removed.
 */
async function buried(
  { store, keys }: Rooms,
  { chain, state, count }: { chain: ChainOf; state: LedgerState; count: number },
): Promise<Tombstone | undefined> {
  let base: LedgerState = state.tombstone?.base ?? INITIAL
  const firstKept = (state.tombstone?.firstKept ?? 1) + count
  let link = { sequence: firstKept - count - 1, mac: state.tombstone?.mac ?? '' }
  while (link.sequence < firstKept - 1) {
    const page = { after: link.sequence, limit: Math.min(500, firstKept - 1 - link.sequence) }
    const events = await store.events.oldest(chain.user, page)
    if (events.length === 0) return undefined
    for (const event of events) {
      checkEvent(keys, { chain, link, event })
      link = event
    }
    const parsed = events.map(({ body }) => parseBody(body))
    base = rebuild(parsed, base)
  }
  const removed = (state.tombstone?.removed ?? 0) + count
  return { firstKept, removed, mac: link.mac, base: { ...base, tombstone: null } }
}

const PRUNED_AT_ONCE = 1_000
const MAX_PRUNINGS = 100

/**
 * Removes the traces of tickets that are too old to be used again. Old is what lies long before the user was last seen,
 * whatever a clock says now: a clock that was ahead and is put back makes no used ticket good again.
 */
export async function pruneTickets({ store, journal }: Rooms, user: Subject): Promise<void> {
  const { incarnation, stamps } = await journal.read(user)
  const horizon = ticketRecord({ issuedAt: Math.max(0, (stamps.seenAt ?? 0) - TICKET_LIFE_MS), id: '' })
  for (let pruning = 0; pruning < MAX_PRUNINGS; pruning++) {
    const oldest = await store.users.records(user, TICKET_RECORDS, { limit: PRUNED_AT_ONCE, order: 'ascending' })
    const old = oldest.filter(({ name }) => name < horizon)
    const records = old.map(({ name }) => ({ kind: TICKET_RECORDS, name, value: null }))
    if (records.length > 0)
      await journal.write(user, { incarnation, decide: () => ({ records, result: () => undefined }) })
    if (records.length < PRUNED_AT_ONCE) return
  }
}
