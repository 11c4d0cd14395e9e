import type { Effects } from './effects.ts'

/** A function that runs at an instant unless it is removed before. */
export interface Deadline {
  /** Monotonic ms. */
  readonly at: number
  readonly run: () => void
  /** Position in the heap; -1 when it is not queued. */
  index: number
}

/** Node.js fires timers with a longer delay at once. */
const MAX_TIMER_MS = 2_147_483_647

/**
 * Many deadlines on one timer. A binary heap orders them; a removed deadline leaves the heap at once, so nothing refers
 * to a finished call. The timer is set for the earliest deadline and never postponed: if it fires early, it is set
 * again. It is cancelled when the queue is empty, so that the process can exit.
 */
export class DeadlineQueue {
  readonly #effects: Effects
  readonly #background: boolean
  readonly #heap: Deadline[] = []
  #cancelTimer: (() => void) | undefined
  #timerAt = Number.POSITIVE_INFINITY

  /** `background`: the timer does not keep the process alive. */
  constructor(effects: Effects, { background }: { background: boolean }) {
    this.#effects = effects
    this.#background = background
  }

  get size(): number {
    return this.#heap.length
  }

  /** Runs `run` at `at`, monotonic ms. Deadlines that are due together run in the order of their instants. */
  add(at: number, run: () => void): Deadline {
    const deadline: Deadline = { at, run, index: this.#heap.length }
    this.#heap.push(deadline)
    this.#siftUp(deadline)
    if (at < this.#timerAt) this.#setTimer(at)
    return deadline
  }

  /** Does nothing if the deadline has run or was removed. */
  remove(deadline: Deadline): void {
    const { index } = deadline
    if (index < 0) return
    deadline.index = -1
    const last = this.#heap.pop()
    if (last !== undefined && last !== deadline) {
      this.#put(last, index)
      this.#siftDown(last)
      this.#siftUp(last)
    }
    if (this.#heap.length === 0) this.#cancel()
  }

  /** Removes all deadlines. */
  clear(): void {
    for (const deadline of this.#heap) deadline.index = -1
    this.#heap.length = 0
    this.#cancel()
  }

  #setTimer(at: number): void {
    this.#cancelTimer?.()
    this.#timerAt = at
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(at - this.#effects.monotonic())))
    this.#cancelTimer = this.#effects.setTimer(() => this.#onTimer(), delayMs, { background: this.#background })
  }

  #cancel(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #onTimer(): void {
    this.#cancelTimer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
    const now = this.#effects.monotonic()
    for (let next = this.#heap[0]; next !== undefined && next.at <= now; next = this.#heap[0]) {
      this.remove(next)
      next.run()
    }
    const next = this.#heap[0]
    if (next !== undefined && next.at < this.#timerAt) this.#setTimer(next.at)
  }

  #siftUp(deadline: Deadline): void {
    let { index } = deadline
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = this.#heap[above] as Deadline
      if (parent.at <= deadline.at) break
      this.#put(parent, index)
      index = above
    }
    this.#put(deadline, index)
  }

  #siftDown(deadline: Deadline): void {
    let { index } = deadline
    for (;;) {
      const left = index * 2 + 1
      const right = left + 1
      if (left >= this.#heap.length) break
      const lesser = right < this.#heap.length && this.#at(right) < this.#at(left) ? right : left
      if (this.#at(lesser) >= deadline.at) break
      this.#put(this.#heap[lesser] as Deadline, index)
      index = lesser
    }
    this.#put(deadline, index)
  }

  #at(index: number): number {
    return (this.#heap[index] as Deadline).at
  }

  #put(deadline: Deadline, index: number): void {
    this.#heap[index] = deadline
    deadline.index = index
  }
}
