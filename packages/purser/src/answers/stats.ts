import { publish } from '../core/diagnostics.ts'

/** Counts since the start. Every lookup is exactly one of hit, miss and joined. */
export interface StatsCounter {
  readonly hits: number
  readonly misses: number
  readonly joined: number
  /** Tokens that hits and joined turns did not pay for again. */
  readonly savedTokens: number
  /** Failed store calls. */
  readonly failures: number
  count(outcome: 'hit' | 'miss' | 'joined'): void
  addSavedTokens(tokens: number): void
  addFailure(): void
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
    addSavedTokens(tokens) {
      savedTokens += tokens
    },
    addFailure() {
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
