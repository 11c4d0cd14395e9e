/** Rows by the instant they expire at, the earliest first. Rows that are gone are noticed late. */
export interface ExpiryOrder<Row extends Expiring> {
  add(row: Row): void
  /** Removes and returns the row that expires first, if it does so before `now`. */
  next(now: number): Row | undefined
  /** How many have expired before `now`. Looks at these only. */
  count(now: number): number
  readonly size: number
}

interface Expiring {
  /** null: never, and then it is not in the order. */
  readonly expiresAt: number | null
}

/**
 * A binary heap. Taking an entry out of its middle would need to know where it is, so entries that were replaced or
 * evicted stay until they are at the top, or until they are more than half of all: then the heap is built anew.
 */
export function createExpiryOrder<Row extends Expiring>(house: {
  readonly isCurrent: (row: Row) => boolean
  readonly live: () => number
}): ExpiryOrder<Row> {
  let heap: Row[] = []
  const at = (index: number): number => heap[index]?.expiresAt ?? Number.POSITIVE_INFINITY

  function swap(a: number, b: number): void {
    const kept = heap[a] as Row
    heap[a] = heap[b] as Row
    heap[b] = kept
  }

  function rise(index: number): void {
    for (let child = index; child > 0; ) {
      const parent = (child - 1) >> 1
      if (at(parent) <= at(child)) return
      swap(parent, child)
      child = parent
    }
  }

  function sink(): void {
    for (let parent = 0; ; ) {
      const left = 2 * parent + 1
      const child = at(left) <= at(left + 1) ? left : left + 1
      if (at(parent) <= at(child)) return
      swap(parent, child)
      parent = child
    }
  }

  function compact(): void {
    if (heap.length <= 64 || heap.length <= 2 * house.live()) return
    // A sorted list is a heap.
    heap = heap.filter(house.isCurrent).sort((a, b) => Number(a.expiresAt) - Number(b.expiresAt))
  }

  function takeFirst(): Row | undefined {
    const first = heap[0]
    const last = heap.pop()
    if (last !== undefined && heap.length > 0) {
      heap[0] = last
      sink()
    }
    return first
  }

  return {
    add(row) {
      if (row.expiresAt === null) return
      heap.push(row)
      rise(heap.length - 1)
      compact()
    },
    next(now) {
      while (at(0) < now) {
        const first = takeFirst() as Row
        if (house.isCurrent(first)) return first
      }
      return undefined
    },
    count(now) {
      let found = 0
      const open = [0]
      for (let index = open.pop(); index !== undefined; index = open.pop()) {
        if (at(index) >= now) continue
        if (house.isCurrent(heap[index] as Row)) found++
        open.push(2 * index + 1, 2 * index + 2)
      }
      return found
    },
    get size() {
      return heap.length
    },
  }
}
