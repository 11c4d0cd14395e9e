/** Rows by the instant they expire, the earliest first. */
export interface ExpiryHeap<Row extends Expiring> {
  add(row: Row): void
  /** Removes and returns the row that expires first, if it expires before `now`. */
  next(now: number): Row | undefined
  /** The number of rows that expired before `now`; visits only these. */
  count(now: number): number
  readonly size: number
}

interface Expiring {
  /** null: never; such a row is not in the heap. */
  readonly expiresAt: number | null
}

/** A heap of at most this many entries is not rebuilt. */
const COMPACT_MIN_ENTRIES = 64

/**
 * A binary min-heap. Removing an entry from its middle would need the entry's index, so replaced and evicted rows stay
 * until they reach the top, or until they are more than half of all entries: then the heap is rebuilt.
 */
export function createExpiryHeap<Row extends Expiring>(deps: {
  readonly isCurrent: (row: Row) => boolean
  readonly live: () => number
}): ExpiryHeap<Row> {
  let heap: Row[] = []
  const expiresAt = (index: number): number => heap[index]?.expiresAt ?? Number.POSITIVE_INFINITY

  function swap(a: number, b: number): void {
    const row = heap[a] as Row
    heap[a] = heap[b] as Row
    heap[b] = row
  }

  function siftUp(index: number): void {
    for (let child = index; child > 0; ) {
      const parent = (child - 1) >> 1
      if (expiresAt(parent) <= expiresAt(child)) return
      swap(parent, child)
      child = parent
    }
  }

  function siftDown(): void {
    for (let parent = 0; ; ) {
      const left = 2 * parent + 1
      const child = expiresAt(left) <= expiresAt(left + 1) ? left : left + 1
      if (expiresAt(parent) <= expiresAt(child)) return
      swap(parent, child)
      parent = child
    }
  }

  function compact(): void {
    if (heap.length <= COMPACT_MIN_ENTRIES || heap.length <= 2 * deps.live()) return
    // A sorted list is a heap.
    heap = heap.filter(deps.isCurrent).sort((a, b) => Number(a.expiresAt) - Number(b.expiresAt))
  }

  function takeFirst(): Row | undefined {
    const first = heap[0]
    const last = heap.pop()
    if (last !== undefined && heap.length > 0) {
      heap[0] = last
      siftDown()
    }
    return first
  }

  return {
    add(row) {
      if (row.expiresAt === null) return
      heap.push(row)
      siftUp(heap.length - 1)
      compact()
    },
    next(now) {
      while (expiresAt(0) < now) {
        const first = takeFirst() as Row
        if (deps.isCurrent(first)) return first
      }
      return undefined
    },
    count(now) {
      let count = 0
      const unvisited = [0]
      for (let index = unvisited.pop(); index !== undefined; index = unvisited.pop()) {
        if (expiresAt(index) >= now) continue
        if (deps.isCurrent(heap[index] as Row)) count++
        unvisited.push(2 * index + 1, 2 * index + 2)
      }
      return count
    },
    get size() {
      return heap.length
    },
  }
}
