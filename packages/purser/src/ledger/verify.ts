import { isDeepStrictEqual } from 'node:util'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { type ChainOf, headMac, linkMac, parseBody } from '../journal/hash-chain.ts'
import { completed } from '../journal/unit-of-work.ts'
import type { StoredEvent, UserRow } from '../storage/commit.ts'
import type { Store } from '../storage/store.ts'
import { rebuild } from './evolve.ts'
import { INITIAL, type LedgerState } from './state.ts'
import { noteProblem, notesUpTo } from './verify-notes.ts'

/** What a check of the log found. */
export interface Verification {
  readonly ok: boolean
  /** Events that were checked. */
  readonly checked: number
  /** The first thing that is wrong; absent when all is well. */
  readonly firstBad?: IntegrityError
}

export interface IntegrityError {
  /** '' is the namespace's own log. Absent: no single user's. */
  readonly user?: string
  /** Absent: it is not about a single event. */
  readonly sequence?: number
  readonly problem: string
}

export interface VerifyDeps {
  readonly store: Store
  readonly keys: Keyring
}

const PAGE = 250
/** Looks at a user who is written all the time, each of which finds another fault. */
const MAX_LOOKS = 16

/** A fault that a check has found. It also ends a retention: what shows a fault is not removed. */
class Bad extends Error {
  readonly sequence: number | undefined
  constructor(problem: string, sequence?: number) {
    super(problem)
    this.sequence = sequence
  }
}

/**
 * Checks one user's log against their row: every link, the order, that the head is the last event and bears its MAC,
 * that the events fold to the state, and that notes are as they were written. Events committed while it runs do not
 * disturb it: when the row has moved on, a fault is only believed when another look finds the same.
 */
export async function verifyUser(house: VerifyDeps, user: Subject): Promise<Verification> {
  let last: string | undefined
  for (let look = 1; ; look++) {
    const row = await house.store.users.load(user)
    const progress = { checked: 0 }
    try {
      await checkUser(house, { user, row, progress })
      return { ok: true, checked: progress.checked }
    } catch (error) {
      if (!(error instanceof Bad)) throw error
      const again = await house.store.users.load(user)
      const hasMoved = again?.revision !== row?.revision || again?.incarnation !== row?.incarnation
      const told = `${error.sequence} ${error.message}`
      if (hasMoved && told !== last && look < MAX_LOOKS) {
        last = told
        continue
      }
      const firstBad: IntegrityError = {
        user: user.id,
        ...(error.sequence === undefined ? {} : { sequence: error.sequence }),
        problem: error.message,
      }
      return { ok: false, checked: progress.checked, firstBad }
    }
  }
}

interface Check {
  readonly user: Subject
  readonly row: UserRow | undefined
  readonly progress: { checked: number }
}

async function checkUser(house: VerifyDeps, { user, row, progress }: Check): Promise<void> {
  const head = row?.head ?? null
  if (row === undefined || head === null) {
    if (row !== undefined && (row.state !== null || row.headMac !== null))
      throw new Bad('There is a state, but no head.')
    const [stray] = await house.store.events.oldest(user, { after: 0, limit: 1 })
    if (stray !== undefined) throw new Bad('There are events, but no head.', stray.sequence)
    return
  }
  const chain: ChainOf = { user, incarnation: row.incarnation }
  const stored = stateOf(row)
  if (row.state === null || row.headMac !== headMac(house.keys, chain, head, row.state))
    throw new Bad('The head or the state was changed.', head.sequence)
  const { tombstone } = stored
  let link = { sequence: (tombstone?.firstKept ?? 1) - 1, mac: tombstone?.mac ?? '' }
  let state: LedgerState = tombstone?.base ?? INITIAL
  const [stray] = tombstone === null ? [] : await house.store.events.oldest(user, { after: 0, limit: 1 })
  if (stray !== undefined && stray.sequence <= link.sequence)
    throw new Bad('An event that was removed is back.', stray.sequence)
  while (link.sequence < head.sequence) {
    const limit = Math.min(PAGE, head.sequence - link.sequence)
    const events = await house.store.events.oldest(user, { after: link.sequence, limit })
    if (events.length === 0) throw new Bad('Events are missing at the end.', link.sequence + 1)
    for (const event of events) {
      checkEvent(house.keys, { chain, link, event })
      link = event
      progress.checked++
    }
    const parsed = events.map(({ body }) => parseBody(body))
    state = rebuild(parsed, state)
    for (const event of parsed) {
      const problem = await noteProblem(house, user, event)
      if (problem !== undefined) throw new Bad(problem, event.sequence)
    }
  }
  if (link.sequence !== head.sequence || link.mac !== head.mac)
    throw new Bad('The head is not the last event.', head.sequence)
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(state)), stored))
    throw new Bad('The events do not fold to the state.', head.sequence)
  const notes = await notesUpTo(house, user, head.sequence)
  if (notes.count !== stored.notesCount || !(await isWritten(house, user, notes.newest, head.sequence)))
    throw new Bad('There are more or fewer notes than were written.')
}

/** Whether an event of this sequence is there by now. */
async function isWritten({ store }: VerifyDeps, user: Subject, sequence: number, seen: number): Promise<boolean> {
  return sequence <= seen || sequence <= ((await store.users.load(user))?.head?.sequence ?? 0)
}

/** Throws when an event is not the one that follows `link`. */
export function checkEvent(
  keys: Keyring,
  { chain, link, event }: { chain: ChainOf; link: { sequence: number; mac: string }; event: StoredEvent },
): void {
  const { sequence, body, mac } = event
  if (sequence !== link.sequence + 1) throw new Bad('An event is missing.', link.sequence + 1)
  if (linkMac(keys, chain, link.mac, body) !== mac)
    throw new Bad('An event was changed, or is not in its place.', sequence)
  const told = parseBody(body)
  if (
    told.sequence !== sequence ||
    told.id !== event.id ||
    told.type !== event.type ||
    told.at !== new Date(event.at).toISOString()
  )
    throw new Bad('What stands beside an event is not what it says.', sequence)
}

function stateOf(row: UserRow): LedgerState {
  try {
    return completed(INITIAL, row.state)
  } catch {
    throw new Bad('The state cannot be read.')
  }
}
