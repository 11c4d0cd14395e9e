/** A small generator of numbers that are the same for the same seed (mulberry32). */
export interface Chance {
  /** 0 up to, but not including, 1. */
  next(): number
  /** 0 up to, but not including, `limit`. */
  below(limit: number): number
  /** True with this probability. */
  may(probability: number): boolean
  pick<T>(from: readonly T[]): T
}

export function chanceOf(seed: number): Chance {
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
    may: (probability) => next() < probability,
    pick: (from) => from[below(from.length)] as (typeof from)[number],
  }
}

/**
 * Decides who goes on. Everything that would wait for the outside world waits here, and a seed says in which order
 * the waiting ones are let through: the same seed gives the same interleaving.
 */
export class Schedule {
  readonly #chance: Chance
  readonly #waiting: (() => void)[] = []
  readonly #batch: number

  constructor(chance: Chance, batch: number) {
    this.#chance = chance
    this.#batch = batch
  }

  /** Waits to be let through. */
  pause(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Lets others through until `work` is done. */
  async run(work: Promise<unknown>): Promise<void> {
    let isDone = false
    const finish = (): void => {
      isDone = true
    }
    work.then(finish, finish)
    while (!isDone) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      for (let count = 0; count < this.#batch && this.#waiting.length > 0; count++) this.#letOneThrough()
    }
    await work
  }

  #letOneThrough(): void {
    const index = this.#chance.below(this.#waiting.length)
    const chosen = this.#waiting[index]
    const last = this.#waiting.pop()
    if (last !== undefined && index < this.#waiting.length) this.#waiting[index] = last
    chosen?.()
  }
}
