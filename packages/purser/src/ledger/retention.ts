import type { Subject } from '../core/subject.ts'
import { type ChainId, findBrokenLink, parseBody } from '../journal/hash-chain.ts'
import type { LedgerDeps, RetentionSweeper } from './deps.ts'
import { foldEvents } from './evolve.ts'
import { baseOf, type LedgerState, type LedgerWrite, type Tombstone } from './state.ts'
import { TICKET_RECORDS, TICKET_TTL_MS, ticketRecordName } from './tickets.ts'

/*
 * Retention removes a user's oldest events according to `keepEvents`, and the records of expired tickets.
 *
 * Removed events leave a tombstone: an event with their number, the MAC that the oldest remaining event is chained to,
 * and the state they folded to. So the chain still verifies, and the remaining events still fold to the state.
 */

type RetentionDeps = Pick<LedgerDeps, 'journal' | 'store' | 'keys' | 'rules'>

/** Events are removed in batches of a twentieth of `keepEvents`, so that a busy log does not write a tombstone each time. */
const BATCHES = 20
/** The smallest batch, so that a small `keepEvents` is not filled by tombstones. */
const MIN_BATCH = 10
/** Removed at once; the rest is removed by later calls. */
const MAX_REMOVED_EVENTS = 10_000
const EVENTS_PAGE = 500

/** Writes, then applies retention to the user's log. */
export async function writeAndRetain<Result>(
  deps: RetentionDeps,
  user: Subject,
  write: LedgerWrite<Result>,
): Promise<Result> {
  const result = await deps.journal.write(user, write)
  await trimEvents(deps, user)
  return result
}

/** Removes the events above `keepEvents`. After an error the next call tries again. */
async function trimEvents(deps: RetentionDeps, user: Subject): Promise<void> {
  const keep = deps.rules.keepEvents
  if (keep === null) return
  try {
    const { version, incarnation, state } = await deps.journal.read(user)
    const firstKept = state.tombstone?.firstKept ?? 1
    const batch = Math.max(MIN_BATCH, Math.floor(keep / BATCHES))
    if (version - firstKept + 1 <= keep + batch) return
    // The event with the tombstone counts as one of the remaining events, unless there are few.
    const remaining = batch === MIN_BATCH ? keep : keep - 1
    const removable = Math.min(version - firstKept + 1 - remaining, MAX_REMOVED_EVENTS)
    const tombstone = await buildTombstone(deps, { chain: { user, incarnation }, state, count: removable })
    await deps.journal.write(user, {
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
    // The caller's write is committed and must not appear to have failed.
  }
}

/**
 * The tombstone of the oldest `count` events. Undefined when one of them is missing or was changed: the evidence of a
 * change is not removed.
 */
async function buildTombstone(
  { store, keys }: RetentionDeps,
  { chain, state, count }: { readonly chain: ChainId; readonly state: LedgerState; readonly count: number },
): Promise<Tombstone | undefined> {
  let base = baseOf(state.tombstone)
  const firstKept = (state.tombstone?.firstKept ?? 1) + count
  let previous = { sequence: firstKept - count - 1, mac: state.tombstone?.mac ?? '' }
  while (previous.sequence < firstKept - 1) {
    const page = { after: previous.sequence, limit: Math.min(EVENTS_PAGE, firstKept - 1 - previous.sequence) }
    const events = await store.events.oldest(chain.user, page)
    if (events.length === 0) return undefined
    for (const event of events) {
      if (findBrokenLink(keys, { chain, previous }, event) !== undefined) return undefined
      previous = event
    }
    const bodies = events.map(({ body }) => parseBody(body))
    base = foldEvents(bodies, base)
  }
  const removed = (state.tombstone?.removed ?? 0) + count
  return { firstKept, removed, mac: previous.mac, base: { ...base, tombstone: null } }
}

/** Users swept at once; beyond that a sweep is skipped, and a later call starts it. */
const MAX_SWEEPS = 64
const TICKETS_PER_SWEEP = 64

/** Sweeps users in the background. Errors are ignored: a later call sweeps the user again. */
export function createRetentionSweeper(deps: RetentionDeps): RetentionSweeper {
  const sweeps = new Set<Promise<unknown>>()
  let closedTickets = 0

  async function sweep(user: Subject): Promise<void> {
    await removeExpiredTickets(deps, user)
    await trimEvents(deps, user)
  }

  function startSweep(user: Subject): void {
    if (sweeps.size >= MAX_SWEEPS) return
    const onEnd = (): boolean => sweeps.delete(running)
    const running: Promise<unknown> = sweep(user).then(onEnd, onEnd)
    sweeps.add(running)
  }

  return {
    onWindowOpened: startSweep,
    onTicketClosed(user) {
      if (++closedTickets % TICKETS_PER_SWEEP === 0) startSweep(user)
    },
    async idle() {
      await Promise.all(sweeps)
    },
  }
}

const TICKETS_PAGE = 1_000
const MAX_PAGES = 100

/**
 * Removes the records of tickets that are too old to be used. Age is measured against the time the user was last seen,
 * not against the clock: when a clock that ran ahead is set back, a used ticket does not become valid again. After a leap
 * of the clock nothing is removed for two days.
 */
async function removeExpiredTickets({ store, journal, rules }: RetentionDeps, user: Subject): Promise<void> {
  if (rules.clock.isSuspect) return
  const { incarnation, stamps } = await journal.read(user)
  const horizon = ticketRecordName({ issuedAt: Math.max(0, (stamps.seenAt ?? 0) - TICKET_TTL_MS), id: '' })
  for (let page = 0; page < MAX_PAGES; page++) {
    const oldest = await store.users.records(user, TICKET_RECORDS, { limit: TICKETS_PAGE, order: 'ascending' })
    const expired = oldest.filter(({ name }) => name < horizon)
    const records = expired.map(({ name }) => ({ kind: TICKET_RECORDS, name, value: null }))
    if (records.length > 0)
      await journal.write(user, { incarnation, decide: () => ({ records, result: () => undefined }) })
    if (records.length < TICKETS_PAGE) return
  }
}
