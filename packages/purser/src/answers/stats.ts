import { publish } from '../core/diagnostics.ts'

/** What happened since the start. Every look-up is exactly one of hit, miss and joined. */
export interface StatsCounter {
  readonly hits: number
  readonly misses: number
  readonly joined: number
  /** Tokens that hits and joined turns did not pay for again. */
  readonly savedTokens: number
  /** Look-ups and keepings that the store failed. */
  readonly failures: number
  count(outcome: 'hit' | 'miss' | 'joined'): void
  saved(tokens: number): void
  failed(): void
}

export function createStatsCounter(namespace: string): StatsCounter {
  const counts = { hit: 0, miss: 0, joined: 0 }
  let savedTokens = 0
  let failures = 0
  return {
    count(outcome) {
      counts[outcome]++
      publish('answer', { namespace, outcome })
    },
    saved(tokens) {
      savedTokens += tokens
    },
    failed() {
      failures++
    },
    get hits() {
      return counts.hit
    },
    get misses() {
      return counts.miss
    },
    get joined() {
      return counts.joined
    },
    get savedTokens() {
      return savedTokens
    },
    get failures() {
      return failures
    },
  }
}
