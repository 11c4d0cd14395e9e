import type { AnswerRoom, AnswerRow, AnswerScope, AnswerStore } from '../../storage/answer-store.ts'
import { createExpiryOrder, type ExpiryOrder } from './expiry-order.ts'

interface KeptRow extends Omit<AnswerRow, 'used'> {
  readonly owner: string
  used: number
}

/** The answers of one namespace. */
interface Shelf {
  /** In the order of use, the longest unused first: a row that is used is put back at the end. */
  readonly rows: Map<string, KeptRow>
  readonly owners: Map<string, { generation: number; readonly keys: Set<string> }>
  /** Walks `rows` from the longest unused on. What it has passed was removed or put back at the end. */
  oldest: Iterator<KeptRow>
  readonly expiry: ExpiryOrder<KeptRow>
  /** The latest generation given out. */
  latest: number
  /** The generation of owners who have none of their own: that of the last clearing. */
  cleared: number
  bytes: number
}

/** Answers in this process's memory. What is forgotten is gone with the call, so no row is ever dead. */
export function createMemoryAnswers(): AnswerStore {
  const shelves = new Map<string, Shelf>()
  const shelfOf = (namespace: string): Shelf => {
    let shelf = shelves.get(namespace)
    if (shelf === undefined) {
      shelf = createShelf()
      shelves.set(namespace, shelf)
    }
    return shelf
  }
  return {
    file: null,
    async generation({ namespace, owner }) {
      return generationOf(shelfOf(namespace), owner)
    },
    async get({ namespace, owner }, key) {
      const row = shelfOf(namespace).rows.get(key)
      return row?.owner === owner ? row : undefined
    },
    async page({ namespace, owner }, { after, limit }) {
      const { rows, owners } = shelfOf(namespace)
      const keys = [...(owners.get(owner)?.keys ?? [])].filter((key) => key > after).sort()
      return keys.slice(0, limit).flatMap((key) => rows.get(key) ?? [])
    },
    async put(scope, row, room) {
      const shelf = shelfOf(scope.namespace)
      if (row.generation !== generationOf(shelf, scope.owner)) return { written: false, evicted: [] }
      take(shelf, row.key)
      place(shelf, scope, row)
      return { written: true, evicted: makeRoom(shelf, room) }
    },
    async touch(namespace, uses) {
      const shelf = shelfOf(namespace)
      for (const [key, used] of uses) moveUp(shelf, key, used)
    },
    async remove(namespace, key) {
      take(shelfOf(namespace), key)
    },
    async forget({ namespace, owner }) {
      const shelf = shelfOf(namespace)
      const keys = shelf.owners.get(owner)?.keys ?? new Set()
      const forgotten = keys.size
      for (const key of keys) take(shelf, key)
      shelf.owners.set(owner, { generation: ++shelf.latest, keys: new Set() })
      return forgotten
    },
    async clear(namespace) {
      const { rows, latest } = shelfOf(namespace)
      shelves.set(namespace, { ...createShelf(), latest: latest + 1, cleared: latest + 1 })
      return rows.size
    },
    async sweep(namespace, { now, limit }) {
      return takeExpired(shelfOf(namespace), now, limit)
    },
    totals(namespace, now) {
      const { rows, bytes, expiry } = shelfOf(namespace)
      return { entries: rows.size, bytes, expired: expiry.count(now) }
    },
  }
}

function createShelf(): Shelf {
  const rows = new Map<string, KeptRow>()
  const expiry = createExpiryOrder<KeptRow>({
    isCurrent: (row) => rows.get(row.key) === row,
    live: () => rows.size,
  })
  return { rows, oldest: rows.values(), owners: new Map(), expiry, latest: 0, cleared: 0, bytes: 0 }
}

function generationOf(shelf: Shelf, owner: string): number {
  return shelf.owners.get(owner)?.generation ?? shelf.cleared
}

function place(shelf: Shelf, { owner }: AnswerScope, row: AnswerRow): void {
  const kept = { ...row, owner }
  shelf.rows.set(row.key, kept)
  shelf.bytes += row.bytes
  shelf.expiry.add(kept)
  const held = shelf.owners.get(owner)
  if (held === undefined) shelf.owners.set(owner, { generation: shelf.cleared, keys: new Set([row.key]) })
  else held.keys.add(row.key)
}

function take(shelf: Shelf, key: string): void {
  const row = shelf.rows.get(key)
  if (row === undefined) return
  shelf.rows.delete(key)
  shelf.bytes -= row.bytes
  const held = shelf.owners.get(row.owner)
  held?.keys.delete(key)
  if (held?.keys.size === 0 && held.generation === shelf.cleared) shelf.owners.delete(row.owner)
}

function takeExpired(shelf: Shelf, now: number, limit: number): number {
  let taken = 0
  while (taken < limit) {
    const row = shelf.expiry.next(now)
    if (row === undefined) break
    take(shelf, row.key)
    taken++
  }
  return taken
}

function moveUp(shelf: Shelf, key: string, used: number): void {
  const row = shelf.rows.get(key)
  if (row === undefined || row.used >= used) return
  row.used = used
  shelf.rows.delete(key)
  shelf.rows.set(key, row)
}

function oldestOf(shelf: Shelf): KeptRow | undefined {
  let step = shelf.oldest.next()
  if (step.done) {
    shelf.oldest = shelf.rows.values()
    step = shelf.oldest.next()
  }
  return step.done ? undefined : step.value
}

function makeRoom(shelf: Shelf, room: AnswerRoom): string[] {
  const isFull = (): boolean => shelf.rows.size > room.maxEntries || shelf.bytes > room.maxBytes
  if (isFull()) takeExpired(shelf, room.now, Number.POSITIVE_INFINITY)
  const evicted: string[] = []
  while (isFull()) {
    const oldest = oldestOf(shelf)
    if (oldest === undefined) break
    const lastUse = room.lastUse(oldest.key)
    if (lastUse !== undefined && lastUse > oldest.used) moveUp(shelf, oldest.key, lastUse)
    else {
      take(shelf, oldest.key)
      evicted.push(oldest.key)
    }
  }
  return evicted
}
