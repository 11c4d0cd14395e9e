import { LRUCache } from 'lru-cache'
import { type Subject, subjectKey } from '../core/subject.ts'
import type { Store } from '../storage/store.ts'
import type { Fold } from './event.ts'
import { decodeRow, emptySnapshot, type Snapshot } from './snapshot.ts'

/** Decoded user rows, cached in memory until the store's bus reports a change by another process. */
export interface SnapshotCache<State, Measurements> {
  get(user: Subject): Snapshot<State, Measurements> | undefined
  /** Reads the store and caches the result. An unknown user is the initial state with revision null. */
  load(user: Subject): Promise<Snapshot<State, Measurements>>
  set(user: Subject, snapshot: Snapshot<State, Measurements>): void
  delete(user: Subject): void
  /** Unsubscribes from the bus. */
  close(): void
}

/** Reused while its user writes: every commit invalidates the snapshot and sets the next one. */
interface Entry<State, Measurements> {
  snapshot: Snapshot<State, Measurements> | undefined
}

export interface SnapshotCacheDeps<State, Measurements> {
  readonly store: Store
  readonly fold: Fold<State, Measurements>
  readonly maxUsers: number
  /** The keyed hash of a user's id. */
  tag(user: Subject): string
}

export function createSnapshotCache<State, Measurements>(
  deps: SnapshotCacheDeps<State, Measurements>,
): SnapshotCache<State, Measurements> {
  const { store, fold } = deps
  const entries = new LRUCache<string, Entry<State, Measurements>>({ max: deps.maxUsers })
  /** The newest pending load of each user. Only its result may be cached; a change of the user removes it from here. */
  const loads = new Map<string, symbol>()
  const close = store.bus.subscribe((message) => {
    if (message === 'gap' || (message.topic === 'user' && message.user === undefined)) {
      entries.clear()
      loads.clear()
    } else if (message.topic === 'user' && message.user !== undefined) {
      invalidate(subjectKey({ namespace: message.namespace, id: message.user }))
    }
  })

  function invalidate(key: string): void {
    const entry = entries.peek(key)
    if (entry !== undefined) entry.snapshot = undefined
    loads.delete(key)
  }

  function set(key: string, snapshot: Snapshot<State, Measurements>): void {
    const entry = entries.get(key)
    if (entry === undefined) entries.set(key, { snapshot })
    else entry.snapshot = snapshot
  }

  return {
    close,
    get: (user) => entries.get(subjectKey(user))?.snapshot,
    set: (user, snapshot) => set(subjectKey(user), snapshot),
    delete: (user) => invalidate(subjectKey(user)),

    async load(user) {
      const key = subjectKey(user)
      invalidate(key)
      const load = Symbol()
      loads.set(key, load)
      const row = await store.users.load(user)
      const isCurrent = loads.get(key) === load
      if (isCurrent) loads.delete(key)
      if (row === undefined)
        return emptySnapshot(await store.users.nextIncarnation(user.namespace, deps.tag(user)), fold)
      const snapshot = decodeRow(row, fold)
      if (isCurrent) set(key, snapshot)
      return snapshot
    },
  }
}
