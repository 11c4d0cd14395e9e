import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { Store } from '../storage/store.ts'
import type { Write } from './api.ts'
import type { JournalLimits } from './limits.ts'
import { retryOnConflict, type Writes } from './retry-on-conflict.ts'
import type { SnapshotCache } from './snapshot-cache.ts'
import type { Snapshot, UnitOfWork } from './unit-of-work.ts'

export interface CommitLoopDeps<State, Measured> {
  readonly store: Store
  readonly effects: Effects
  readonly limits: JournalLimits
  readonly snapshots: SnapshotCache<State, Measured>
  pendingOn(user: Subject, snapshot: Snapshot<State, Measured>): UnitOfWork<State, Measured>
}

export interface QueuedWrite<State, Measured> {
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

/** What one try leaves to the next. */
interface Tries<State, Measured> {
  /** From memory, for the first try. */
  kept: Snapshot<State, Measured> | undefined
  /** The user's life that was seen. */
  life: number | undefined
}

/** How waiting writes of one user become one commit. */
export class CommitLoop<State, Measured> {
  readonly house: CommitLoopDeps<State, Measured>
  #repliesKept = 0
  #sweeping: Promise<unknown> = Promise.resolve()

  constructor(house: CommitLoopDeps<State, Measured>) {
    this.house = house
  }

  /** Resolves when no sweep is under way. */
  swept(): Promise<unknown> {
    return this.#sweeping
  }

  /**
   * Decides the waiting writes in order and commits what they say. A batch that changes nothing (refusals, no-ops)
   * must still have been decided on the store's state: when the snapshot came from memory, it is read once more.
   * When the user's life ends between two attempts, the batch ends with it: it must not begin the next one.
   */
  async #settle(user: Subject, batch: readonly QueuedWrite<State, Measured>[]): Promise<void> {
    const tries: Tries<State, Measured> = { kept: this.house.snapshots.kept(user), life: undefined }
    const answers = await retryOnConflict(this.house, (to) => this.#try(user, batch, tries, to))
    if (answers !== undefined) return tell(answers)
    const { maxAttempts } = this.house.limits
    throw new PurserError('store_unavailable', `Other processes changed this user ${maxAttempts} times in a row.`, {
      hint: 'Try again; if it goes on, look for a loop that writes this user in another process.',
    })
  }

  /** Undefined when somebody else has changed the user meanwhile; then nothing was written. */
  async #try(
    user: Subject,
    batch: readonly QueuedWrite<State, Measured>[],
    tries: Tries<State, Measured>,
    to: Writes,
  ): Promise<readonly Answer[] | undefined> {
    const { limits, snapshots, pendingOn } = this.house
    const { kept, life } = tries
    const base = kept ?? (await snapshots.load(user))
    if (life !== undefined && life !== base.incarnation) throw erased()
    tries.life = base.incarnation
    tries.kept = undefined
    const pending = pendingOn(user, base)
    const reading = this.#read(user, pending, batch)
    if (reading.length > 0) await Promise.all(reading)
    const answers = batch.flatMap((waiting) => (waiting.left ? [] : [this.#decideOne(pending, base, waiting)]))
    if (!pending.dirty) return kept === undefined || same(await snapshots.load(user), base) ? answers : undefined
    const outcome = await to.commit(user, pending.commit())
    if (!outcome.ok) return undefined
    snapshots.keep(user, pending.committed(outcome.revision))
    if (this.#repliesKept >= limits.repliesPerSweep) this.#sweep()
    return answers
  }

  /** Reads beforehand, all at once, what the decisions want to see, so that deciding itself never waits. */
  #read(
    user: Subject,
    pending: UnitOfWork<State, Measured>,
    batch: readonly QueuedWrite<State, Measured>[],
  ): Promise<void>[] {
    const { store } = this.house
    const reading: Promise<void>[] = []
    for (const { write } of batch) {
      for (const wanted of write.reads ?? []) {
        if (pending.knows(wanted)) continue
        const { kind, name } = wanted
        reading.push(store.users.record(user, kind, name).then((value) => pending.provide(wanted, value)))
      }
      const { idempotency } = write
      if (idempotency !== undefined)
        reading.push(store.users.reply(user, idempotency.key).then((reply) => reply && pending.provideReply(reply)))
    }
    return reading
  }

  /** An error of the decision itself is its answer; what fails behind it is a fault of the whole batch. */
  #decideOne(
    pending: UnitOfWork<State, Measured>,
    base: Snapshot<State, Measured>,
    { write, digest, resolve, reject }: QueuedWrite<State, Measured>,
  ): Answer {
    let decision: ReturnType<typeof write.decide>
    try {
      if (write.incarnation !== undefined && (write.incarnation !== base.incarnation || !pending.exists)) throw erased()
      const kept = write.idempotency && pending.reply(write.idempotency.key, digest)
      if (kept !== undefined) {
        const result: unknown = JSON.parse(kept)
        const answer = write.replay ? write.replay(result, pending.view()) : result
        return () => resolve(answer)
      }
      decision = write.decide(pending.view())
    } catch (error) {
      return () => reject(error)
    }
    const events = pending.apply(decision)
    const result = decision.result({ view: pending.view(), events })
    if (write.idempotency !== undefined && digest !== undefined && decision.remember !== false) {
      const expiresAt = this.house.effects.now() + this.house.limits.replyTtlMs
      this.#repliesKept++
      pending.keep({ key: write.idempotency.key, digest, result: JSON.stringify(result ?? null), expiresAt })
    }
    return () => resolve(result)
  }

  /** A commit that fails takes only its cause down: a batch is split until the poisoned write stands alone. */
  async settleOrFail(user: Subject, batch: readonly QueuedWrite<State, Measured>[]): Promise<void> {
    const present = batch.filter((waiting) => !waiting.left)
    if (present.length === 0) return
    try {
      await this.#settle(user, present)
    } catch (error) {
      this.house.snapshots.forget(user)
      if (present.length === 1 || PurserError.is(error)) {
        for (const waiting of present) waiting.reject(error)
        return
      }
      for (const waiting of present) await this.settleOrFail(user, [waiting])
    }
  }

  /** Removes more than came, so that what is left behind never grows. A failure is left to the next time. */
  #sweep(): void {
    const { store, effects, limits } = this.house
    this.#repliesKept = 0
    this.#sweeping = this.#sweeping
      .then(() => store.users.sweepReplies(effects.now(), 2 * limits.repliesPerSweep))
      .catch(() => undefined)
  }
}

function tell(answers: readonly Answer[]): void {
  for (const answer of answers) answer()
}

function same(a: { revision: number | null; incarnation: number }, b: typeof a): boolean {
  return a.revision === b.revision && a.incarnation === b.incarnation
}

function erased(): PurserError {
  return new PurserError('user_erased', 'The user was erased while this call was on its way.', {
    hint: 'Nothing of it was written. A new call starts a new life of this user.',
  })
}
