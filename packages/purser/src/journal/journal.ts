import { createHash } from 'node:crypto'
import { canonicalJson } from '../canonical.ts'
import type { Effects } from '../effects.ts'
import { PurserError } from '../errors.ts'
import type { Subject } from '../identity.ts'
import type { Keys } from '../keys.ts'
import { LOG_OF_NAMESPACE, type Store } from '../store.ts'
import type { Fold, NewEvent } from './fold.ts'
import { createLanes } from './lanes.ts'
import { Pending, type Snapshot, viewOf } from './pending.ts'
import type { Journal, Write } from './port.ts'
import { createSnapshots } from './snapshots.ts'

export interface JournalLimits {
  /** Users whose decoded row is kept in memory. */
  readonly maxCached: number
  /** Writes decided together in one commit; the others wait for the next. */
  readonly maxWritesPerCommit: number
  /** Writes of one user that may wait; one more is `store_unavailable`. */
  readonly maxWaiting: number
  /** How often a write that lost to another process is decided again. */
  readonly maxAttempts: number
  /** How long the answer to an idempotency key is kept. */
  readonly replyTtlMs: number
  /** After so many kept answers, twice as many expired ones are removed, of whatever users. */
  readonly repliesPerSweep: number
}

export const JOURNAL_LIMITS: JournalLimits = {
  maxCached: 10_000,
  maxWritesPerCommit: 256,
  maxWaiting: 10_000,
  maxAttempts: 8,
  replyTtlMs: 86_400_000,
  repliesPerSweep: 256,
}

export interface JournalHouse<State, Measured> {
  readonly store: Store
  readonly keys: Keys
  readonly effects: Effects
  readonly fold: Fold<State, Measured>
  readonly limits?: JournalLimits
}

export interface OpenJournal<State, Measured> extends Journal<State, Measured> {
  /**
   * Ends this life of a user, after the writes that already wait; `event` goes to the namespace's own log in the same
   * step. Reads nothing of the user but which life it is, so that it works on damaged rows and broken chains.
   */
  erase(user: Subject, event: (incarnation: number, pseudonym: string) => NewEvent): Promise<EraseReceipt>
  /** The keyed hash that stands for a user where their id must not. */
  tag(user: Subject): string
  /** Waits for the writes under way, then stops listening to the store. */
  close(): Promise<void>
}

export interface EraseReceipt {
  readonly counts: Readonly<Record<string, number>>
  readonly purged: boolean
}

interface Waiting<State, Measured> {
  readonly write: Write<State, Measured, unknown>
  /** Of the idempotency body; taken at the call, because a body that cannot be told must not fail half-way. */
  readonly digest: string | undefined
  /** The caller has gone: not to be decided any more. */
  left: boolean
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** What a waiting write is told once the commit is through. */
type Answer = () => void

export function openJournal<State, Measured>(house: JournalHouse<State, Measured>): OpenJournal<State, Measured> {
  const { store, keys, effects, fold } = house
  const limits = house.limits ?? JOURNAL_LIMITS
  const tag = (user: Subject): string => keys.mac('identity', [user.namespace, user.id], 'hex')
  const snapshots = createSnapshots({ store, fold, tag, maxKept: limits.maxCached })
  const lanes = createLanes<Waiting<State, Measured>>({
    maxBatch: limits.maxWritesPerCommit,
    maxWaiting: limits.maxWaiting,
    settle: settleOrFail,
  })
  let closed = false
  let repliesKept = 0
  let sweeping: Promise<unknown> = Promise.resolve()

  const pendingOn = (user: Subject, snapshot: Snapshot<State, Measured>): Pending<State, Measured> =>
    new Pending(snapshot, { user, tag: () => tag(user), keys, fold, nextId: effects.randomId }, effects.now())

  /**
   * Decides the waiting writes in order and commits what they say. A batch that changes nothing (refusals, no-ops)
   * must still have been decided on the store's state: when the snapshot came from memory, it is read once more.
   * When the user's life ends between two attempts, the batch ends with it: it must not begin the next one.
   */
  async function settle(user: Subject, batch: readonly Waiting<State, Measured>[]): Promise<void> {
    let snapshot = snapshots.kept(user)
    let life: number | undefined
    for (let attempt = 1; attempt <= limits.maxAttempts; attempt++) {
      const fresh = snapshot === undefined
      const base = snapshot ?? (await snapshots.load(user))
      if (life !== undefined && life !== base.incarnation) throw erased()
      life = base.incarnation
      const pending = pendingOn(user, base)
      await provide(user, pending, batch)
      const answers = batch.flatMap((waiting) => (waiting.left ? [] : [decideOne(pending, base, waiting)]))
      if (pending.dirty) {
        const outcome = await store.users.commit(user, pending.commit())
        if (outcome.ok) {
          snapshots.keep(user, pending.committed(outcome.revision))
          if (repliesKept >= limits.repliesPerSweep) sweep()
          return tell(answers)
        }
      } else if (fresh || same(await snapshots.load(user), base)) {
        return tell(answers)
      }
      snapshot = undefined
    }
    throw new PurserError(
      'store_unavailable',
      `Other processes changed this user ${limits.maxAttempts} times in a row.`,
      {
        hint: 'Try again; if it goes on, look for a loop that writes this user in another process.',
      },
    )
  }

  /** Reads beforehand, all at once, what the decisions want to see, so that deciding itself never waits. */
  async function provide(
    user: Subject,
    pending: Pending<State, Measured>,
    batch: readonly Waiting<State, Measured>[],
  ): Promise<void> {
    const reading: Promise<void>[] = []
    for (const { write } of batch) {
      for (const { kind, name } of write.reads ?? [])
        reading.push(store.users.record(user, kind, name).then((value) => pending.provide({ kind, name }, value)))
      const { idempotency } = write
      if (idempotency !== undefined)
        reading.push(store.users.reply(user, idempotency.key).then((reply) => reply && pending.provideReply(reply)))
    }
    if (reading.length > 0) await Promise.all(reading)
  }

  /** An error of the decision itself is its answer; what fails behind it is a fault of the whole batch. */
  function decideOne(
    pending: Pending<State, Measured>,
    base: Snapshot<State, Measured>,
    { write, digest, resolve, reject }: Waiting<State, Measured>,
  ): Answer {
    let decision: ReturnType<typeof write.decide>
    try {
      if (write.incarnation !== undefined && (write.incarnation !== base.incarnation || !pending.exists)) throw erased()
      const kept = write.idempotency && pending.reply(write.idempotency.key, digest)
      if (kept !== undefined) {
        const result: unknown = JSON.parse(kept)
        const answer = write.replay ? write.replay(result) : result
        return () => resolve(answer)
      }
      decision = write.decide(pending.view())
    } catch (error) {
      return () => reject(error)
    }
    const events = pending.apply(decision)
    const result = decision.result({ view: pending.view(), events })
    if (write.idempotency !== undefined && digest !== undefined && decision.remember !== false) {
      const expiresAt = effects.now() + limits.replyTtlMs
      repliesKept++
      pending.keep({ key: write.idempotency.key, digest, result: JSON.stringify(result ?? null), expiresAt })
    }
    return () => resolve(result)
  }

  /** A commit that fails takes only its cause down: a batch is split until the poisoned write stands alone. */
  async function settleOrFail(user: Subject, batch: readonly Waiting<State, Measured>[]): Promise<void> {
    const present = batch.filter((waiting) => !waiting.left)
    if (present.length === 0) return
    try {
      await settle(user, present)
    } catch (error) {
      snapshots.forget(user)
      if (present.length === 1 || PurserError.is(error)) {
        for (const waiting of present) waiting.reject(error)
        return
      }
      for (const waiting of present) await settleOrFail(user, [waiting])
    }
  }

  /** Removes more than came, so that what is left behind never grows. A failure is left to the next time. */
  function sweep(): void {
    repliesKept = 0
    sweeping = sweeping
      .then(() => store.users.sweepReplies(effects.now(), 2 * limits.repliesPerSweep))
      .catch(() => undefined)
  }

  async function eraseNow(
    user: Subject,
    event: Parameters<OpenJournal<State, Measured>['erase']>[1],
  ): Promise<EraseReceipt> {
    const log: Subject = { namespace: user.namespace, id: LOG_OF_NAMESPACE }
    const pseudonym = tag(user)
    for (let attempt = 1; attempt <= limits.maxAttempts; attempt++) {
      const row = await store.users.load(user)
      const incarnation = row?.incarnation ?? (await store.users.nextIncarnation(user.namespace, pseudonym))
      const pending = pendingOn(log, await snapshots.load(log))
      pending.apply({ events: [event(incarnation, pseudonym)], result: () => undefined })
      const outcome = await store.users.erase(user, { tag: pseudonym, incarnation, log: pending.commit() })
      snapshots.forget(user)
      snapshots.forget(log)
      if (outcome.ok) return { counts: outcome.counts, purged: outcome.purged }
    }
    throw new PurserError('store_unavailable', 'The user kept changing while being erased.', { hint: 'Try again.' })
  }

  return {
    tag,

    write<Result>(user: Subject, write: Write<State, Measured, Result>): Promise<Result> {
      return new Promise<Result>((resolve, reject) => {
        if (closed) throw closedError()
        write.signal?.throwIfAborted()
        const digest = write.idempotency && digestOf(write.idempotency.body)
        const waiting = { write, digest, left: false, resolve, reject } as Waiting<State, Measured>
        lanes.push(user, write.signal === undefined ? waiting : leavable(waiting, write.signal))
      })
    },

    async read(user) {
      if (closed) throw closedError()
      return viewOf(snapshots.kept(user) ?? (await snapshots.load(user)), effects.now())
    },

    async erase(user, event) {
      if (closed) throw closedError()
      const log: Subject = { namespace: user.namespace, id: LOG_OF_NAMESPACE }
      return lanes.alone(user, () => lanes.alone(log, () => eraseNow(user, event)))
    },

    async close() {
      closed = true
      await lanes.idle()
      await sweeping
      snapshots.close()
    },
  }
}

/** Lets the caller go as soon as the signal is aborted; what was not decided by then will not be. */
function leavable<State, Measured>(waiting: Waiting<State, Measured>, signal: AbortSignal): Waiting<State, Measured> {
  const leave = (): void => {
    watched.left = true
    waiting.reject(signal.reason)
  }
  const done = (): void => signal.removeEventListener('abort', leave)
  const watched: Waiting<State, Measured> = {
    ...waiting,
    resolve(result) {
      done()
      waiting.resolve(result)
    },
    reject(error) {
      done()
      waiting.reject(error)
    },
  }
  signal.addEventListener('abort', leave, { once: true })
  return watched
}

function tell(answers: readonly Answer[]): void {
  for (const answer of answers) answer()
}

function same(a: { revision: number | null; incarnation: number }, b: typeof a): boolean {
  return a.revision === b.revision && a.incarnation === b.incarnation
}

function digestOf(body: unknown): string {
  return createHash('sha256').update(canonicalJson(body)).digest('base64url')
}

function erased(): PurserError {
  return new PurserError('user_erased', 'The user was erased while this call was on its way.', {
    hint: 'Nothing of it was written. A new call starts a new life of this user.',
  })
}

function closedError(): PurserError {
  return new PurserError('closed', 'This Purser has been closed.')
}
