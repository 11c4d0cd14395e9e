/** A pseudo-random number generator (mulberry32): the same seed gives the same numbers. */
export interface Random {
  /** From 0 up to, but not including, 1. */
  next(): number
  /** An integer from 0 up to, but not including, `limit`. */
  below(limit: number): number
  /** True with this probability. */
  happens(probability: number): boolean
  pick<T>(from: readonly T[]): T
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next,
    below,
    happens: (probability) => next() < probability,
    pick: (from) => from[below(from.length)] as (typeof from)[number],
  }
}

/**
 * Decides which task runs next. Tasks call `pause` where they would wait for I/O; the scheduler resumes the paused
 * tasks in random order. The same seed gives the same interleaving.
 */
export class InterleavingScheduler {
  readonly #random: Random
  readonly #paused: (() => void)[] = []
  readonly #batchSize: number

  /** `batchSize`: tasks resumed per turn of the event loop. */
  constructor(random: Random, batchSize: number) {
    this.#random = random
    this.#batchSize = batchSize
  }

  /** Resolves when the scheduler resumes this task. */
  pause(): Promise<void> {
    return new Promise((resolve) => this.#paused.push(resolve))
  }

  /** Resumes paused tasks until `work` is done. */
  async run(work: Promise<unknown>): Promise<void> {
    let isDone = false
    const finish = (): void => {
      isDone = true
    }
    work.then(finish, finish)
    while (!isDone) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      for (let count = 0; count < this.#batchSize && this.#paused.length > 0; count++) this.#resumeOne()
    }
    await work
  }

  #resumeOne(): void {
    const index = this.#random.below(this.#paused.length)
    const resume = this.#paused[index]
    const last = this.#paused.pop()
    if (last !== undefined && index < this.#paused.length) this.#paused[index] = last
    resume?.()
  }
}
