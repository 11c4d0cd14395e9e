import type { Effects } from './effects.ts'

/** Something that happens at an instant unless it is taken back. */
export interface Deadline {
  /** Monotonic ms. */
  readonly at: number
  readonly run: () => void
  /** Its place in the heap; -1 when it is not waiting. */
  index: number
}

/** Node.js runs a longer timer at once. */
const LONGEST_TIMER_MS = 2_147_483_647

/**
 * Many deadlines, one timer. A binary heap knows the next one; what is taken back leaves the heap at once, so that
 * nothing of a finished call is kept. The timer is set for the earliest deadline, is never moved later (it looks
 * again when it fires), and is cancelled when none waits, so that a program can end.
 */
export class DeadlineQueue {
  readonly #effects: Effects
  readonly #background: boolean
  readonly #heap: Deadline[] = []
  #cancelTimer: (() => void) | undefined
  #timerAt = Number.POSITIVE_INFINITY

  /** `background`: its timer does not keep the process alive. */
  constructor(effects: Effects, { background }: { background: boolean }) {
    this.#effects = effects
    this.#background = background
  }

  get size(): number {
    return this.#heap.length
  }

  /** Runs `run` at `at`, in the order of the instants. */
  add(at: number, run: () => void): Deadline {
    const deadline: Deadline = { at, run, index: this.#heap.length }
    this.#heap.push(deadline)
    this.#rise(deadline)
    if (at < this.#timerAt) this.#arm(at)
    return deadline
  }

  /** Takes a deadline back. Harmless when it has run. */
  remove(deadline: Deadline): void {
    const { index } = deadline
    if (index < 0) return
    deadline.index = -1
    const last = this.#heap.pop()
    if (last !== undefined && last !== deadline) {
      this.#put(last, index)
      this.#sink(last)
      this.#rise(last)
    }
    if (this.#heap.length === 0) this.#disarm()
  }

  /** Forgets all of them. */
  clear(): void {
    for (const deadline of this.#heap) deadline.index = -1
    this.#heap.length = 0
    this.#disarm()
  }

  #arm(at: number): void {
    this.#cancelTimer?.()
    this.#timerAt = at
    const delayMs = Math.min(LONGEST_TIMER_MS, Math.max(0, Math.ceil(at - this.#effects.monotonic())))
    this.#cancelTimer = this.#effects.setTimer(() => this.#fire(), delayMs, { background: this.#background })
  }

  #disarm(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #fire(): void {
    this.#cancelTimer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
    const now = this.#effects.monotonic()
    for (let next = this.#heap[0]; next !== undefined && next.at <= now; next = this.#heap[0]) {
      this.remove(next)
      next.run()
    }
    const next = this.#heap[0]
    if (next !== undefined && next.at < this.#timerAt) this.#arm(next.at)
  }

  #rise(deadline: Deadline): void {
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

  #sink(deadline: Deadline): void {
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
