import { LRUCache } from 'lru-cache'
import { type Pauses, pauseAfter } from './circuit-breaker.ts'

/** A key's failures in a row. Monotonic ms. */
interface Failure {
  readonly count: number
  readonly at: number
  readonly until: number
}

/** Failures remembered at most, however many users may be kept. */
const MOST_KEYS = 100_000

/**
 * Who has just failed is left alone for a while, so that in an outage the second call is answered at once. This is
 * all that is remembered of a failure: it is never data.
 */
export class Failures {
  readonly #byKey: LRUCache<string, Failure>
  readonly #pauses: Pauses

  constructor(maxKeys: number, pauses: Pauses) {
    this.#byKey = new LRUCache({ max: Math.min(maxKeys, MOST_KEYS) })
    this.#pauses = pauses
  }

  /** `since`: what happened before says nothing any more. */
  note(key: string, now: number, since: number): void {
    const before = this.#byKey.get(key)
    const count = (before !== undefined && before.at > since ? before.count : 0) + 1
    this.#byKey.set(key, { count, at: now, until: now + pauseAfter(count, this.#pauses) })
  }

  isPaused(key: string, now: number, since: number): boolean {
    const failure = this.#byKey.get(key)
    return failure !== undefined && failure.at > since && now < failure.until
  }

  forget(key: string): void {
    this.#byKey.delete(key)
  }
}
