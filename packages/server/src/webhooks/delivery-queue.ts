/*
 * What is to be delivered to one webhook: pure functions on the stored state.
 *
 * Events are read from the log in its order, and the cursor is the position up to which they were read. An event that is
 * not delivered yet is pending; only its id is stored, and the event is read again for each attempt, so nothing of an
 * erased user stays here. The cursor and the outcomes are written together after an attempt: a crash between an attempt
 * and this write repeats the attempt.
 *
 * An event waits for earlier pending events of its user, and for no others. While a receiver is down, pending events reach
 * their maximum and all others stay in the log.
 */

/** Pending events of one webhook. */
export const MAX_PENDING = 256
/** Events that are read from the log at a time. */
export const PAGE = 64
const MAX_DELIVERED = 100
export const MAX_DEAD = 1_000
/** A delivery that fails for longer is dead. */
const DEAD_AFTER_MS = 24 * 3_600_000
const FIRST_RETRY_MS = 5_000
const MAX_RETRY_MS = 300_000
const MAX_RETRY_AFTER_MS = 3_600_000

export interface Queue {
  readonly v: 1
  /** Events up to this position were read from the log. */
  readonly cursor: number
  /** In the order of the log. */
  readonly pending: readonly Pending[]
  /** The latest ones, oldest first. */
  readonly delivered: readonly Delivered[]
}

export interface DeadLetters {
  readonly v: 1
  /** The latest ones, oldest first. */
  readonly dead: readonly Dead[]
}

interface Entry {
  /** The id of the event. */
  readonly id: string
  readonly type: string
  readonly position: number
  readonly attempts: number
}

/** Instants are epoch ms. */
export interface Pending extends Entry {
  /** The first failed attempt; null before it. */
  readonly failingSince: number | null
  readonly nextAt: number
  readonly error: string | null
}

export interface Delivered extends Entry {
  readonly deliveredAt: number
}

export interface Dead extends Entry {
  readonly diedAt: number
  readonly error: string
}

export const EMPTY_QUEUE: Queue = { v: 1, cursor: 0, pending: [], delivered: [] }
export const NO_DEAD_LETTERS: DeadLetters = { v: 1, dead: [] }

/** An event that the webhook has not been told yet. */
export function pendingEvent({ id, type, position }: Omit<Entry, 'attempts'>, now: number): Pending {
  return { id, type, position, attempts: 0, failingSince: null, nextAt: now, error: null }
}

/** The first pending event of each user: the others wait for it. */
export function selectFirst<Candidate extends { readonly user: string }>(
  candidates: readonly Candidate[],
): readonly Candidate[] {
  const users = new Set<string>()
  return candidates.filter(({ user }) => {
    const isFirst = !users.has(user)
    users.add(user)
    return isFirst
  })
}

/** Also an instant that is too far ahead is due: the clock was set back. */
export function isDue({ nextAt }: Pick<Pending, 'nextAt'>, now: number): boolean {
  return nextAt <= now || nextAt > now + MAX_RETRY_AFTER_MS
}

/** The outcome of an attempt. */
export type Outcome =
  | { readonly id: string; readonly kind: 'delivered' }
  | { readonly id: string; readonly kind: 'failed'; readonly error: string; readonly retryAfterMs: number | null }
  /** The event is not in the log any more. */
  | { readonly id: string; readonly kind: 'gone' }

export interface Round {
  readonly cursor: number
  /** Events that were read in this round. */
  readonly added: readonly Pending[]
  readonly outcomes: readonly Outcome[]
  readonly now: number
  /** From 0 to 1. */
  random(): number
}

export interface Recorded {
  readonly queue: Queue
  /** What is dead from now on. */
  readonly dead: readonly Dead[]
}

/** The queue after a round. Also right for a queue that was changed since the round began. */
export function recordRound(queue: Queue, { cursor, added, outcomes, now, random }: Round): Recorded {
  const byId = new Map(outcomes.map((outcome) => [outcome.id, outcome]))
  const entries = [...queue.pending, ...added.filter(({ position }) => position > queue.cursor)]
  const pending: Pending[] = []
  const delivered: Delivered[] = []
  const dead: Dead[] = []
  for (const entry of entries) {
    const outcome = byId.get(entry.id)
    if (outcome === undefined) pending.push(entry)
    else if (outcome.kind === 'delivered') delivered.push(toDelivered(entry, now))
    else if (outcome.kind === 'failed') {
      const failed = fail(entry, { ...outcome, now, random })
      if (isOver(failed, now)) dead.push(toDead(failed, now))
      else pending.push(failed)
    }
  }
  const queueAfter: Queue = {
    v: 1,
    cursor: Math.max(queue.cursor, cursor),
    pending,
    delivered: [...queue.delivered, ...delivered].slice(-MAX_DELIVERED),
  }
  return { queue: queueAfter, dead }
}

function fail(
  entry: Pending,
  failure: {
    readonly error: string
    readonly retryAfterMs: number | null
    readonly now: number
    random(): number
  },
): Pending {
  const { error, retryAfterMs, now, random } = failure
  const attempts = entry.attempts + 1
  const failingSince = entry.failingSince === null || entry.failingSince > now ? now : entry.failingSince
  const backOffMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 16), MAX_RETRY_MS)
  const askedMs = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
  const delayMs = Math.max(backOffMs * (0.5 + random() / 2), askedMs)
  return { ...entry, attempts, failingSince, nextAt: Math.ceil(now + delayMs), error }
}

function isOver({ failingSince }: Pending, now: number): boolean {
  return failingSince !== null && now - failingSince >= DEAD_AFTER_MS
}

function toDelivered({ id, type, position, attempts }: Pending, now: number): Delivered {
  return { id, type, position, attempts: attempts + 1, deliveredAt: now }
}

function toDead({ id, type, position, attempts, error }: Pending, now: number): Dead {
  return { id, type, position, attempts, error: error ?? '', diedAt: now }
}

/** The dead letters with further ones. */
export function addDead({ dead }: DeadLetters, more: readonly Dead[]): DeadLetters {
  const ids = new Set(more.map(({ id }) => id))
  return { v: 1, dead: [...dead.filter(({ id }) => !ids.has(id)), ...more].slice(-MAX_DEAD) }
}

/** The queue with a delivery that is to be attempted now: a dead one again, or a pending one at once. */
export function retryDelivery(queue: Queue, entry: Pick<Entry, 'id' | 'type' | 'position'>, now: number): Queue {
  const others = queue.pending.filter(({ id }) => id !== entry.id)
  const pending = [...others, pendingEvent(entry, now)].sort((one, other) => one.position - other.position)
  return { ...queue, pending }
}
