import type { CachedAnswer, EntryOptions } from './cache.ts'
import type { Flight } from './flight.ts'
import type { CacheKey } from './key-resolver.ts'

export interface RememberOptions<T> {
  signal?: AbortSignal | undefined
  /** How long this answer is kept; null: for good. Default: `answers.ttlMs`. */
  ttlMs?: number | null | undefined
  /** False: the answer is given, but not kept. Default: every answer is kept. */
  keep?: ((answer: T) => boolean) | undefined
  /** `'namespace'`: one answer for every user of the application. Default `'user'`. */
  scope?: 'user' | 'namespace' | undefined
}

export type Compute<T> = (call: { readonly signal: AbortSignal }) => Promise<T> | T

/** What a flight brought: a kept answer, one just made, or something that is not JSON and goes from hand to hand. */
export type BroughtValue =
  | { readonly from: 'shelf'; readonly value: string }
  | { readonly from: 'compute'; readonly value: string }
  | { readonly from: 'compute'; readonly raw: unknown }

export interface ValueHouse {
  fetch(place: CacheKey): Promise<CachedAnswer | undefined>
  /** Keeps what may still be kept: not after a forget, an erasure or a newer flight. */
  keep(flight: Flight<BroughtValue>, value: string, terms: Partial<EntryOptions>): Promise<void>
  detach(flight: Flight<BroughtValue>): void
}

/** The work of a flight that remembers a value: look on the shelf, else compute, keep and hand on. Never rejects. */
export async function flyValue<T>(
  house: ValueHouse,
  flight: Flight<BroughtValue>,
  compute: Compute<T>,
  { ttlMs, keep }: RememberOptions<T>,
): Promise<void> {
  try {
    const kept = await house.fetch(flight.place)
    if (kept !== undefined) return flight.bring({ from: 'shelf', value: kept.value })
    if (flight.signal.aborted) return
    const answer = await compute({ signal: flight.signal })
    const value = jsonOf(answer)
    if (value === undefined) return flight.bring({ from: 'compute', raw: answer })
    if (keep === undefined || keep(answer)) await house.keep(flight, value, ttlMs === undefined ? {} : { ttlMs })
    flight.bring({ from: 'compute', value })
  } catch (error) {
    flight.fail(error)
  } finally {
    flight.land()
    house.detach(flight)
  }
}

/** Everybody gets a copy of their own, the one who computed it too: what is kept cannot be changed from outside. */
export function copyOf(brought: BroughtValue): unknown {
  return 'raw' in brought ? brought.raw : JSON.parse(brought.value)
}

function jsonOf(answer: unknown): string | undefined {
  try {
    return JSON.stringify(answer)
  } catch {
    return undefined
  }
}
