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
import { CommitLoop, type ErasedCounts, type QueuedWrite } from './commit-loop.ts'
import type { Fold, NewEvent } from './event.ts'
import { JOURNAL_LIMITS, type JournalLimits } from './limits.ts'
import { viewOf } from './snapshot.ts'
import { createSnapshotCache } from './snapshot-cache.ts'
import { UnitOfWork } from './unit-of-work.ts'
import { createUserQueues } from './user-queue.ts'

export interface JournalDeps<State, Measurements> {
  readonly store: Store
  readonly keys: Keyring
  readonly effects: Effects
  readonly fold: Fold<State, Measurements>
  readonly limits?: JournalLimits
}

export interface OpenJournal<State, Measurements> extends Journal<State, Measurements> {
  /**
   * Ends the user's incarnation after the writes queued before it, and appends `event` to the namespace's own log in the
   * same step. Reads nothing of the user but the incarnation, so it also works on damaged rows and broken chains.
   */
  erase(user: Subject, event: (incarnation: number, pseudonym: string) => NewEvent): Promise<ErasedCounts>
  /** The keyed hash used where the user's id must not appear. */
  tag(user: Subject): string
  /** Rejects new calls, waits for queued writes, then unsubscribes from the store. */
  close(): Promise<void>
}

export function openJournal<State, Measurements>(
  deps: JournalDeps<State, Measurements>,
): OpenJournal<State, Measurements> {
  const { store, keys, effects, fold, limits = JOURNAL_LIMITS } = deps
  const tags = new LRUCache<string, string, Subject>({
    max: limits.maxCachedUsers,
    memoMethod: (_key, _stale, { context: user }) => tagOf(keys, user),
  })
  const tag = (user: Subject): string => tags.memo(subjectKey(user), { context: user })
  const snapshots = createSnapshotCache({ store, fold, tag, maxUsers: limits.maxCachedUsers })
  const loop = new CommitLoop<State, Measurements>({
    store,
    effects,
    limits,
    snapshots,
    createUnitOfWork: (user, base) =>
      new UnitOfWork(base, { user, tag: () => tag(user), keys, fold, nextId: effects.randomId }, effects.now()),
  })
  const queues = createUserQueues<QueuedWrite<State, Measurements>>({
    maxBatch: limits.maxWritesPerCommit,
    maxQueued: limits.maxQueuedWrites,
    process: (user, batch) => loop.commitBatch(user, batch),
  })
  let isClosed = false

  function assertOpen(): void {
    if (isClosed) throw purserClosed()
  }

  return {
    tag,

    write<Result, Stored>(user: Subject, write: Write<State, Measurements, Result, Stored>): Promise<Result> {
      return new Promise<Result>((resolve, reject) => {
        assertOpen()
        write.signal?.throwIfAborted()
        const digest = write.idempotency && digestOf(write.idempotency.body)
        const queued = { write, digest, isAborted: false, resolve, reject } as QueuedWrite<State, Measurements>
        queues.push(user, write.signal === undefined ? queued : abortable(queued, write.signal))
      })
    },

    async read(user) {
      assertOpen()
      return viewOf(snapshots.get(user) ?? (await snapshots.load(user)), effects.now())
    },

    async erase(user, event) {
      assertOpen()
      const log: Subject = { namespace: user.namespace, id: LOG_OF_NAMESPACE }
      const request = { user, log, pseudonym: tag(user), event }
      return queues.runExclusive(user, () => queues.runExclusive(log, () => loop.erase(request)))
    },

    async close() {
      isClosed = true
      await queues.idle()
      await loop.idle()
      snapshots.close()
    },
  }
}

/** Rejects the write as soon as the signal is aborted. A write that was not decided by then is dropped. */
function abortable<State, Measurements>(
  queued: QueuedWrite<State, Measurements>,
  signal: AbortSignal,
): QueuedWrite<State, Measurements> {
  const onAbort = (): void => {
    watched.isAborted = true
    queued.reject(signal.reason)
  }
  const unwatch = (): void => signal.removeEventListener('abort', onAbort)
  const watched: QueuedWrite<State, Measurements> = {
    ...queued,
    resolve(result) {
      unwatch()
      queued.resolve(result)
    },
    reject(error) {
      unwatch()
      queued.reject(error)
    },
  }
  signal.addEventListener('abort', onAbort, { once: true })
  return watched
}

function digestOf(body: unknown): string {
  return createHash('sha256').update(canonicalJson(body)).digest('base64url')
}
