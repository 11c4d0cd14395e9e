import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { canonicalJson } from '../core/canonical-json.ts'
import type { Effects } from '../core/effects.ts'
import { type Keyring, tagOf } from '../core/keyring.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import { purserClosed } from '../errors.ts'
import { LOG_OF_NAMESPACE } from '../storage/commit.ts'
import type { Store } from '../storage/store.ts'
import type { Journal, Write } from './api.ts'
import { CommitLoop, type QueuedWrite } from './commit-loop.ts'
import { type ErasedCounts, eraseUser } from './erase-user.ts'
import type { Fold, NewEvent } from './event.ts'
import { JOURNAL_LIMITS, type JournalLimits } from './limits.ts'
import { createSnapshotCache } from './snapshot-cache.ts'
import { UnitOfWork, viewOf } from './unit-of-work.ts'
import { createUserQueues } from './user-queue.ts'

export interface JournalDeps<State, Measured> {
  readonly store: Store
  readonly keys: Keyring
  readonly effects: Effects
  readonly fold: Fold<State, Measured>
  readonly limits?: JournalLimits
}

export interface OpenJournal<State, Measured> extends Journal<State, Measured> {
  /**
   * Ends this life of a user, after the writes that already wait; `event` goes to the namespace's own log in the same
   * step. Reads nothing of the user but which life it is, so that it works on damaged rows and broken chains.
   */
  erase(user: Subject, event: (incarnation: number, pseudonym: string) => NewEvent): Promise<ErasedCounts>
  /** The keyed hash that stands for a user where their id must not. */
  tag(user: Subject): string
  /** Waits for the writes under way, then stops listening to the store. */
  close(): Promise<void>
}

export function openJournal<State, Measured>(house: JournalDeps<State, Measured>): OpenJournal<State, Measured> {
  const { store, keys, effects, fold, limits = JOURNAL_LIMITS } = house
  const tags = new LRUCache<string, string>({ max: limits.maxCached })
  const tag = (user: Subject): string => {
    const key = subjectKey(user)
    const known = tags.get(key)
    if (known !== undefined) return known
    const made = tagOf(keys, user)
    tags.set(key, made)
    return made
  }
  const snapshots = createSnapshotCache({ store, fold, tag, maxKept: limits.maxCached })
  const settling = new CommitLoop<State, Measured>({
    store,
    effects,
    limits,
    snapshots,
    pendingOn: (user, snapshot) =>
      new UnitOfWork(snapshot, { user, tag: () => tag(user), keys, fold, nextId: effects.randomId }, effects.now()),
  })
  const lanes = createUserQueues<QueuedWrite<State, Measured>>({
    maxBatch: limits.maxWritesPerCommit,
    maxWaiting: limits.maxWaiting,
    settle: (user, batch) => settling.settleOrFail(user, batch),
  })
  let closed = false

  function refuseWhenClosed(): void {
    if (closed) throw purserClosed()
  }

  return {
    tag,

    write<Result>(user: Subject, write: Write<State, Measured, Result>): Promise<Result> {
      return new Promise<Result>((resolve, reject) => {
        refuseWhenClosed()
        write.signal?.throwIfAborted()
        const digest = write.idempotency && digestOf(write.idempotency.body)
        const waiting = { write, digest, left: false, resolve, reject } as QueuedWrite<State, Measured>
        lanes.push(user, write.signal === undefined ? waiting : leavable(waiting, write.signal))
      })
    },

    async read(user) {
      refuseWhenClosed()
      return viewOf(snapshots.kept(user) ?? (await snapshots.load(user)), effects.now())
    },

    async erase(user, event) {
      refuseWhenClosed()
      const log: Subject = { namespace: user.namespace, id: LOG_OF_NAMESPACE }
      const order = { user, log, pseudonym: tag(user), event }
      return lanes.alone(user, () => lanes.alone(log, () => eraseUser(settling.house, order)))
    },

    async close() {
      closed = true
      await lanes.idle()
      await settling.swept()
      snapshots.close()
    },
  }
}

/** Lets the caller go as soon as the signal is aborted; what was not decided by then will not be. */
function leavable<State, Measured>(
  waiting: QueuedWrite<State, Measured>,
  signal: AbortSignal,
): QueuedWrite<State, Measured> {
  const leave = (): void => {
    watched.left = true
    waiting.reject(signal.reason)
  }
  const done = (): void => signal.removeEventListener('abort', leave)
  const watched: QueuedWrite<State, Measured> = {
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

function digestOf(body: unknown): string {
  return createHash('sha256').update(canonicalJson(body)).digest('base64url')
}
