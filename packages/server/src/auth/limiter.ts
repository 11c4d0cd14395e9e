import type { Effects } from 'purser'

const MAX_FAILURES = 10
const WINDOW_MS = 60_000
const MAX_ADDRESSES = 10_000

/** Slows down whoever tries keys: after ten failures from one address within a minute it has to wait. */
export class Limiter {
  readonly #effects: Effects
  readonly #failures = new Map<string, { count: number; until: number }>()

  constructor(effects: Effects) {
    this.#effects = effects
  }

  /** How long `address` has to wait, ms; 0 when it may try. */
  waitMs(address: string): number {
    const entry = this.#failures.get(address)
    if (entry === undefined || entry.count < MAX_FAILURES) return 0
    return Math.max(0, entry.until - this.#effects.monotonic())
  }

  fail(address: string): void {
    const now = this.#effects.monotonic()
    const entry = this.#failures.get(address)
    const next = entry === undefined || now >= entry.until ? { count: 1, until: now + WINDOW_MS } : entry
    if (next === entry) entry.count += 1
    this.#failures.delete(address)
    this.#failures.set(address, next)
    const oldest = this.#failures.keys().next().value
    if (this.#failures.size > MAX_ADDRESSES && oldest !== undefined) this.#failures.delete(oldest)
  }

  succeed(address: string): void {
    this.#failures.delete(address)
  }
}
