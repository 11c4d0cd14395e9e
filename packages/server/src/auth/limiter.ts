import type { Effects } from 'purser'

const MAX_FAILURES = 10
const WINDOW_MS = 60_000
/** The oldest address is dropped beyond this number. */
const MAX_ADDRESSES = 10_000

/** Rate limit for sign-in attempts: after 10 failures within a minute an address must wait for the minute to end. */
export class Limiter {
  readonly #effects: Effects
  readonly #failures = new Map<string, { count: number; until: number }>()

  constructor(effects: Effects) {
    this.#effects = effects
  }

  /** How long `address` has to wait; 0 when it may try. */
  getWaitMs(address: string): number {
    const entry = this.#failures.get(address)
    if (entry === undefined || entry.count < MAX_FAILURES) return 0
    return Math.max(0, entry.until - this.#effects.monotonic())
  }

  recordFailure(address: string): void {
    const now = this.#effects.monotonic()
    const entry = this.#failures.get(address)
    const next = entry === undefined || now >= entry.until ? { count: 1, until: now + WINDOW_MS } : entry
    if (next === entry) entry.count += 1
    this.#failures.delete(address)
    this.#failures.set(address, next)
    const oldest = this.#failures.keys().next().value
    if (this.#failures.size > MAX_ADDRESSES && oldest !== undefined) this.#failures.delete(oldest)
  }

  reset(address: string): void {
    this.#failures.delete(address)
  }
}
