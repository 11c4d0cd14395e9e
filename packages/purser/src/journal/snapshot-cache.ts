import { LRUCache } from 'lru-cache'
import { type Subject, subjectKey } from '../core/subject.ts'
import type { Store } from '../storage/store.ts'
import type { Fold } from './event.ts'
import { decodeRow, type Snapshot } from './unit-of-work.ts'

/** Users' rows, decoded and kept in memory until the store says that somebody has changed them. */
export interface SnapshotCache<State, Measured> {
  kept(user: Subject): Snapshot<State, Measured> | undefined
  /** Reads the store; an unknown user is the initial state with revision null. */
  load(user: Subject): Promise<Snapshot<State, Measured>>
  keep(user: Subject, snapshot: Snapshot<State, Measured>): void
  forget(user: Subject): void
  /** Stops listening to the store. */
  close(): void
}

/** Stays where it is while its user writes: every commit makes the kept row untrue and brings the next. */
interface Place<State, Measured> {
  snapshot: Snapshot<State, Measured> | undefined
}

export function createSnapshotCache<State, Measured>(house: {
  readonly store: Store
  readonly fold: Fold<State, Measured>
  readonly maxKept: number
  /** The keyed hash of a user's id. */
  tag(user: Subject): string
}): SnapshotCache<State, Measured> {
  const { store, fold } = house
  const places = new LRUCache<string, Place<State, Measured>>({ max: house.maxKept })
  /** The newest load under way of a user who has not changed meanwhile: only what that finds may be kept. */
  const loading = new Map<string, symbol>()
  const close = store.bus.subscribe((message) => {
    if (message === 'gap' || (message.topic === 'user' && message.user === undefined)) {
      places.clear()
      loading.clear()
    } else if (message.topic === 'user' && message.user !== undefined) {
      forget(subjectKey({ namespace: message.namespace, id: message.user }))
    }
  })

  function forget(key: string): void {
    const place = places.peek(key)
    if (place !== undefined) place.snapshot = undefined
    loading.delete(key)
  }

  function keep(key: string, snapshot: Snapshot<State, Measured>): void {
    const place = places.get(key)
    if (place === undefined) places.set(key, { snapshot })
    else place.snapshot = snapshot
  }

  return {
    close,
    kept: (user) => places.get(subjectKey(user))?.snapshot,
    keep: (user, snapshot) => keep(subjectKey(user), snapshot),
    forget: (user) => forget(subjectKey(user)),

    async load(user) {
      const key = subjectKey(user)
      forget(key)
      const load = Symbol()
      loading.set(key, load)
      const row = await store.users.load(user)
      const unchanged = loading.get(key) === load
      if (unchanged) loading.delete(key)
      if (row !== undefined) {
        const snapshot = decodeRow(row, fold)
        if (unchanged) keep(key, snapshot)
        return snapshot
      }
      return {
        revision: null,
        incarnation: await store.users.nextIncarnation(user.namespace, house.tag(user)),
        head: null,
        state: fold.initial,
        measured: fold.unmeasured,
        stamps: { createdAt: 0, updatedAt: 0, seenAt: null },
        counters: [],
        absent: [],
      }
    },
  }
}
