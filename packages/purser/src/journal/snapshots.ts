import { LRUCache } from 'lru-cache'
import { type Subject, subjectKey } from '../identity.ts'
import type { Store } from '../store.ts'
import type { Fold } from './fold.ts'
import { decodeRow, type Snapshot } from './pending.ts'

/** Users' rows, decoded and kept in memory until the store says that somebody has changed them. */
export interface Snapshots<State, Measured> {
  kept(user: Subject): Snapshot<State, Measured> | undefined
  /** Reads the store; an unknown user is the initial state with revision null. */
  load(user: Subject): Promise<Snapshot<State, Measured>>
  keep(user: Subject, snapshot: Snapshot<State, Measured>): void
  forget(user: Subject): void
  /** Stops listening to the store. */
  close(): void
}

export function createSnapshots<State, Measured>(house: {
  readonly store: Store
  readonly fold: Fold<State, Measured>
  readonly maxKept: number
  /** The keyed hash of a user's id. */
  tag(user: Subject): string
}): Snapshots<State, Measured> {
  const { store, fold } = house
  const kept = new LRUCache<string, Snapshot<State, Measured>>({ max: house.maxKept })
  /** Loads under way whose user has not changed meanwhile: only what these find may be kept. */
  const loading = new Set<string>()
  const close = store.bus.subscribe((message) => {
    if (message === 'gap' || (message.topic === 'user' && message.user === undefined)) {
      kept.clear()
      loading.clear()
    } else if (message.topic === 'user' && message.user !== undefined) {
      forget(subjectKey({ namespace: message.namespace, id: message.user }))
    }
  })

  function forget(key: string): void {
    kept.delete(key)
    loading.delete(key)
  }

  return {
    close,
    kept: (user) => kept.get(subjectKey(user)),
    keep: (user, snapshot) => kept.set(subjectKey(user), snapshot),
    forget: (user) => forget(subjectKey(user)),

    async load(user) {
      const key = subjectKey(user)
      kept.delete(key)
      loading.add(key)
      const row = await store.users.load(user)
      const unchanged = loading.delete(key)
      if (row !== undefined) {
        const snapshot = decodeRow(row, fold)
        if (unchanged) kept.set(key, snapshot)
        return snapshot
      }
      return {
        revision: null,
        incarnation: await store.users.nextIncarnation(user.namespace, house.tag(user)),
        head: null,
        headMac: null,
        state: fold.initial,
        measured: fold.unmeasured,
        stamps: { createdAt: 0, updatedAt: 0, seenAt: null },
        counters: [],
        records: new Map(),
      }
    },
  }
}
