import type { Effects } from 'purser'

const MAX_FAILURES = 10
const WINDOW_MS = 60_000
/** The answer to a failure beyond the limit waits this long. */
const DELAY_MS = 1_000
/** Answers that wait at the same time; further ones do not wait. */
const MAX_DELAYED = 100
/** The oldest address is dropped beyond this number. */
const MAX_ADDRESSES = 10_000

/**
 * Rate limit for sign-in attempts. It applies to failures only: a right key is let in however many wrong ones came from
 * the same address, because behind a proxy all clients have one address. After 10 failures within a minute, further
 * failures of an address are refused for the rest of the minute, and their answers are delayed.
 */
export class Limiter {
  readonly #effects: Effects
  readonly #failures = new Map<string, { count: number; until: number }>()
  #delayed = 0

  constructor(effects: Effects) {
    this.#effects = effects
  }

  /** Counts a failure. Resolves to how long `address` has to wait before its next failure is not refused; 0 within the limit. */
  async recordFailure(address: string): Promise<number> {
    const now = this.#effects.monotonic()
    const entry = this.#failures.get(address)
    const next = entry === undefined || now >= entry.until ? { count: 1, until: now + WINDOW_MS } : entry
    if (next === entry) entry.count += 1
    this.#failures.delete(address)
    this.#failures.set(address, next)
    const oldest = this.#failures.keys().next().value
    if (this.#failures.size > MAX_ADDRESSES && oldest !== undefined) this.#failures.delete(oldest)
    if (next.count <= MAX_FAILURES) return 0
    await this.#delay()
    return next.until - now
  }

  #delay(): Promise<void> {
    if (this.#delayed >= MAX_DELAYED) return Promise.resolve()
    this.#delayed++
    return new Promise((resolve) => {
      this.#effects.setTimer(() => {
        this.#delayed--
        resolve()
      }, DELAY_MS)
    })
  }
}
