import { LRUCache } from 'lru-cache'

/** Exponential backoff: how long failed calls are not repeated. */
export interface BackoffOptions {
  /** After the first failure. */
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  /** A number from 0 to 1. */
  jitter(): number
}

/** The backoff after the n-th failure in a row: doubles up to the maximum, and jitter shortens it by up to a quarter. */
export function backoffMs(failures: number, { minBackoffMs, maxBackoffMs, jitter }: BackoffOptions): number {
  const nominal = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(failures - 1, 30))
  return nominal * (1 - jitter() / 4)
}

/**
 * Stops the calls of a source that fails or hangs for all users. It opens after consecutive failures; while open, it
 * permits one probe per backoff. A failed probe doubles the backoff, any success closes the breaker. A hang counts as
 * a failure as soon as it is detected, not when the call ends. All instants are monotonic ms.
 */
export class CircuitBreaker {
  readonly #failureThreshold: number
  readonly #backoff: BackoffOptions
  #failures = 0
  #openings = 0
  /** When the next probe may start; undefined while closed. */
  #probeAt: number | undefined
  #probeStartedAt: number | undefined
  #closedAt = Number.NEGATIVE_INFINITY

  constructor(failureThreshold: number, backoff: BackoffOptions) {
    this.#failureThreshold = failureThreshold
    this.#backoff = backoff
  }

  get isOpen(): boolean {
    return this.#probeAt !== undefined
  }

  /** When the breaker last closed after being open. Failures before this instant no longer count. */
  get closedAt(): number {
    return this.#closedAt
  }

  isProbeDue(now: number): boolean {
    return this.#probeAt !== undefined && this.#probeStartedAt === undefined && now >= this.#probeAt
  }

  /** Whether a call may start now. After `probe` it must start. */
  permit(now: number): 'permitted' | 'probe' | 'rejected' {
    if (this.#probeAt === undefined) return 'permitted'
    if (!this.isProbeDue(now)) return 'rejected'
    this.#probeStartedAt = now
    return 'probe'
  }

  recordSuccess(now: number): void {
    if (this.#probeAt !== undefined) this.#closedAt = now
    this.#failures = 0
    this.#openings = 0
    this.#probeAt = undefined
    this.#probeStartedAt = undefined
  }

  /** Returns whether this failure has opened the breaker. `isProbe`: the call that failed was the probe. */
  recordFailure(now: number, isProbe: boolean): boolean {
    if (this.#probeAt !== undefined) {
      if (!isProbe || this.#probeStartedAt === undefined) return false
      this.#openings += 1
      // The backoff counts from the start of the probe, so that a hanging probe does not extend it.
      this.#probeAt = Math.max(now, this.#probeStartedAt + backoffMs(this.#openings, this.#backoff))
      this.#probeStartedAt = undefined
      return false
    }
    this.#failures += 1
    if (this.#failures < this.#failureThreshold) return false
    this.#openings = 1
    this.#probeAt = now + backoffMs(1, this.#backoff)
    return true
  }
}

/** Consecutive failures of one key. Monotonic ms. */
interface Failure {
  readonly count: number
  readonly at: number
  readonly until: number
}

/** Upper limit of keys, which also applies without a limit of users. */
const MAX_KEYS = 100_000

/**
 * Backoff of single keys: a load that has just failed is not repeated for a while, so that during an outage the next
 * call is answered at once. Only the failure is remembered, never data.
 */
export class KeyedBackoff {
  readonly #failures: LRUCache<string, Failure>
  readonly #options: BackoffOptions

  constructor(maxKeys: number, options: BackoffOptions) {
    this.#failures = new LRUCache({ max: Math.min(maxKeys, MAX_KEYS) })
    this.#options = options
  }

  /** Failures before `since` no longer count. */
  recordFailure(key: string, now: number, since: number): void {
    const previous = this.#failures.get(key)
    const count = (previous !== undefined && previous.at > since ? previous.count : 0) + 1
    this.#failures.set(key, { count, at: now, until: now + backoffMs(count, this.#options) })
  }

  isActive(key: string, now: number, since: number): boolean {
    const failure = this.#failures.get(key)
    return failure !== undefined && failure.at > since && now < failure.until
  }

  reset(key: string): void {
    this.#failures.delete(key)
  }
}
