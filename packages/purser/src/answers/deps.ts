import type { PendingCalls } from '../core/pending-calls.ts'
import type { Subject } from '../core/subject.ts'
import type { AnswerCache, EntryOptions } from './cache.ts'
import type { Flight, Member } from './flight.ts'
import type { Flights } from './flights.ts'
import type { KeyResolver } from './key-resolver.ts'
import type { AnswerLimits } from './limits.ts'
import type { StatsCounter } from './stats.ts'
import type { BroughtAnswer } from './turns.ts'
import type { BroughtValue } from './values.ts'

/** What the answers of all users share. */
export interface AnswersContext {
  readonly limits: AnswerLimits
  readonly locator: KeyResolver
  readonly shelf: AnswerCache
  readonly values: Flights<BroughtValue>
  readonly turns: Flights<BroughtAnswer>
  /** Everybody who waits for a value. Closing waits for them, and takes them off board when that takes too long. */
  readonly waiting: Set<Member<BroughtValue>>
  readonly calls: PendingCalls
  readonly tally: StatsCounter
  /** Throws `closed` when the house is; else sees to it that what must be swept is. */
  enter(): void
  forget(user: Subject): Promise<number>
}

/** A caller who has left while their place was looked for has looked, and found nothing. */
export function leaveIfAborted(hall: AnswersContext, signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return
  hall.tally.count('miss')
  throw signal.reason
}

/**
 * Keeps what a flight brought, if nothing has happened meanwhile that forbids it: a newer flight, a forgetting or a
 * clearing (then the flight is no longer current), or the end of the life that asked.
 */
export async function keepBrought<Result>(
  hall: AnswersContext,
  from: { readonly flights: Flights<Result>; readonly flight: Flight<Result> },
  kept: { readonly value: string; readonly terms: Partial<EntryOptions> },
): Promise<void> {
  const { flights, flight } = from
  if (!(await hall.locator.isAlive(flight.place))) return
  if (flights.isCurrent(flight)) await hall.shelf.keep(flight.place, kept.value, kept.terms)
}
