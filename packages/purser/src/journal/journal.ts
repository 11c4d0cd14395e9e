import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { canonicalJson } from '../canonical.ts'
import type { Effects } from '../effects.ts'
import { PurserError } from '../errors.ts'
import { type Subject, subjectKey } from '../identity.ts'
import type { Keys } from '../keys.ts'
import { LOG_OF_NAMESPACE, type Store } from '../store.ts'
import type { Fold, NewEvent } from './fold.ts'
import { decodeRow, Pending, type Snapshot } from './pending.ts'
import type { Decision, Journal, Write } from './port.ts'

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
}

export const JOURNAL_LIMITS: JournalLimits = {
  maxCached: 10_000,
  maxWritesPerCommit: 256,
  maxWaiting: 10_000,
  maxAttempts: 8,
  replyTtlMs: 86_400_000,
}

export interface JournalHouse<State, Measured> {
  readonly store: Store
  readonly keys: Keys
  readonly effects: Effects
  readonly fold: Fold<State, Measured>
  readonly limits?: JournalLimits
}

export interface OpenJournal<State, Measured> extends Journal<State, Measured> {
  /** Ends this life of a user; `event` goes to the namespace's own log in the same step. */
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

/** One user's waiting writes. The lane exists while somebody waits in it. */
interface Lane<State, Measured> {
  readonly user: Subject
  readonly waiting: Waiting<State, Measured>[]
  running: Promise<void>
}

interface Waiting<State, Measured> {
  readonly write: Write<State, Measured, unknown>
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** What a waiting write will be told once the commit is through. */
type Answer<State, Measured> = { readonly to: Waiting<State, Measured> } & (
  | { readonly result: unknown }
  | { readonly error: unknown }
)

export function openJournal<State, Measured>(house: JournalHouse<State, Measured>): OpenJournal<State, Measured> {
  const { store, keys, effects, fold } = house
  const limits = house.limits ?? JOURNAL_LIMITS
  const cache = new LRUCache<string, Snapshot<State, Measured>>({ max: limits.maxCached })
  const lanes = new Map<string, Lane<State, Measured>>()
  const stopListening = store.bus.subscribe((message) => {
    if (message === 'gap') cache.clear()
    else if (message.topic === 'user' && message.user !== undefined)
      cache.delete(subjectKey({ namespace: message.namespace, id: message.user }))
    else if (message.topic === 'user') cache.clear()
  })
  let closed = false

  const tag = (user: Subject): string => keys.mac('identity', [user.namespace, user.id], 'hex')

  async function load(user: Subject): Promise<Snapshot<State, Measured>> {
    const row = await store.users.load(user)
    if (row !== undefined) {
      const snapshot = decodeRow(row, fold)
      cache.set(subjectKey(user), snapshot)
      return snapshot
    }
    cache.delete(subjectKey(user))
    return {
      revision: null,
      incarnation: await store.users.nextIncarnation(user.namespace, tag(user)),
      head: null,
      headMac: null,
      state: fold.initial,
      measured: fold.unmeasured,
      stamps: { createdAt: 0, updatedAt: 0, seenAt: null },
      counters: [],
    }
  }

  const pendingOn = (user: Subject, snapshot: Snapshot<State, Measured>): Pending<State, Measured> =>
    new Pending(snapshot, { user, tag: () => tag(user), keys, fold, nextId: effects.randomId }, effects.now())

  /**
   * Decides the waiting writes in order and commits what they say. A batch that changes nothing (refusals, no-ops)
   * must still have been decided on the store's state: when the snapshot came from memory, it is read once more.
   */
  async function settle(user: Subject, batch: readonly Waiting<State, Measured>[]): Promise<void> {
    let snapshot = cache.get(subjectKey(user))
    for (let attempt = 1; attempt <= limits.maxAttempts; attempt++) {
      const fresh = snapshot === undefined
      const base: Snapshot<State, Measured> = snapshot ?? (await load(user))
      const pending = pendingOn(user, base)
      const answers: Answer<State, Measured>[] = []
      for (const waiting of batch) answers.push(await decideOne(user, pending, base, waiting))
      if (pending.dirty) {
        const outcome = await store.users.commit(user, pending.commit())
        if (outcome.ok) {
          cache.set(subjectKey(user), pending.committed(outcome.revision))
          return deliver(answers)
        }
      } else if (fresh || isSameRow(await load(user), base)) {
        return deliver(answers)
      }
      snapshot = undefined
      cache.delete(subjectKey(user))
    }
    throw new PurserError(
      'store_unavailable',
      `Other processes changed this user ${limits.maxAttempts} times in a row.`,
      {
        hint: 'Try again; if it goes on, look for a loop that writes this user in another process.',
      },
    )
  }

  async function decideOne(
    user: Subject,
    pending: Pending<State, Measured>,
    base: Snapshot<State, Measured>,
    to: Waiting<State, Measured>,
  ): Promise<Answer<State, Measured>> {
    const { write } = to
    try {
      if (write.incarnation !== undefined && (write.incarnation !== base.incarnation || !pending.exists)) throw erased()
      const kept = write.idempotency && (await keptReply(user, pending, write.idempotency))
      if (kept !== undefined) {
        const result: unknown = JSON.parse(kept)
        return { to, result: write.replay ? write.replay(result) : result }
      }
      for (const { kind, name } of write.reads ?? []) {
        if (!pending.knows(kind, name)) pending.provide(kind, name, await store.users.record(user, kind, name))
      }
      const decision = write.decide(pending.view())
      return { to, result: take(pending, decision, write) }
    } catch (error) {
      return { to, error }
    }
  }

  function take(
    pending: Pending<State, Measured>,
    decision: Decision<State, Measured, unknown>,
    { idempotency }: Write<State, Measured, unknown>,
  ): unknown {
    const events = pending.apply(decision)
    const result = decision.result({ view: pending.view(), events })
    if (idempotency !== undefined && decision.remember !== false) {
      const expiresAt = effects.now() + limits.replyTtlMs
      pending.keep({
        key: idempotency.key,
        digest: digestOf(idempotency.body),
        result: JSON.stringify(result ?? null),
        expiresAt,
      })
    }
    return result
  }

  async function keptReply(
    user: Subject,
    pending: Pending<State, Measured>,
    idempotency: { key: string; body: unknown },
  ): Promise<string | undefined> {
    const reply = pending.reply(idempotency.key) ?? (await store.users.reply(user, idempotency.key))
    if (reply === undefined || reply.expiresAt <= effects.now()) return undefined
    if (reply.digest === digestOf(idempotency.body)) return reply.result
    throw new PurserError('idempotency_conflict', 'This idempotency key was used with another body.', {
      hint: 'Use a new key for a new request, and the same body for a retry.',
    })
  }

  async function run(key: string, lane: Lane<State, Measured>): Promise<void> {
    while (lane.waiting.length > 0) {
      const batch = lane.waiting.splice(0, limits.maxWritesPerCommit)
      await settleOrFail(lane.user, batch)
    }
    lanes.delete(key)
  }

  /** A commit that fails takes only its cause down: a batch is split until the poisoned write stands alone. */
  async function settleOrFail(user: Subject, batch: readonly Waiting<State, Measured>[]): Promise<void> {
    try {
      await settle(user, batch)
    } catch (error) {
      cache.delete(subjectKey(user))
      if (batch.length === 1 || PurserError.is(error)) {
        for (const waiting of batch) waiting.reject(error)
        return
      }
      for (const waiting of batch) await settleOrFail(user, [waiting])
    }
  }

  return {
    tag,

    write<Result>(user: Subject, write: Write<State, Measured, Result>): Promise<Result> {
      return new Promise<Result>((resolve, reject) => {
        if (closed) throw new PurserError('closed', 'This Purser has been closed.')
        const key = subjectKey(user)
        const waiting = { write, resolve, reject } as Waiting<State, Measured>
        const lane = lanes.get(key)
        if (lane === undefined) {
          const opened: Lane<State, Measured> = { user, waiting: [waiting], running: Promise.resolve() }
          lanes.set(key, opened)
          opened.running = Promise.resolve().then(() => run(key, opened))
        } else if (lane.waiting.length < limits.maxWaiting) {
          lane.waiting.push(waiting)
        } else {
          throw new PurserError('store_unavailable', `${limits.maxWaiting} writes of this user are already waiting.`)
        }
      })
    },

    async read(user) {
      return pendingOn(user, cache.get(subjectKey(user)) ?? (await load(user))).view()
    },

    async erase(user, event) {
      const log: Subject = { namespace: user.namespace, id: LOG_OF_NAMESPACE }
      for (let attempt = 1; attempt <= limits.maxAttempts; attempt++) {
        const ending = await load(user)
        const pending = pendingOn(log, await load(log))
        pending.apply({ events: [event(ending.incarnation, tag(user))], result: () => undefined })
        const outcome = await store.users.erase(user, {
          tag: tag(user),
          incarnation: ending.incarnation,
          log: pending.commit(),
        })
        cache.delete(subjectKey(user))
        cache.delete(subjectKey(log))
        if (outcome.ok) return { counts: outcome.counts, purged: outcome.purged }
      }
      throw new PurserError('store_unavailable', 'The user kept changing while being erased.', { hint: 'Try again.' })
    },

    async close() {
      closed = true
      await Promise.all([...lanes.values()].map((lane) => lane.running))
      stopListening()
    },
  }
}

/** Revisions begin again in every life, so both numbers count. */
function isSameRow(now: Snapshot<unknown, unknown>, then: Snapshot<unknown, unknown>): boolean {
  return now.revision === then.revision && now.incarnation === then.incarnation
}

function deliver<State, Measured>(answers: readonly Answer<State, Measured>[]): void {
  for (const answer of answers) {
    if ('error' in answer) answer.to.reject(answer.error)
    else answer.to.resolve(answer.result)
  }
}

function digestOf(body: unknown): string {
  return createHash('sha256').update(canonicalJson(body)).digest('base64url')
}

function erased(): PurserError {
  return new PurserError('user_erased', 'The user was erased while this call was on its way.', {
    hint: 'Nothing of it was written. A new call starts a new life of this user.',
  })
}
