import type { Counter } from '../storage/commit.ts'
import { type Day, dayAt, dayOn } from './calendar.ts'
import type { ZoneState } from './state.ts'

/*
 * Window arithmetic. Usage is counted in rows of (limit, window). The name of a window sorts as text in time order. The
 * newest row is never dropped and thus records the highest window seen: a clock that is set back never reopens a window.
 *
 * `day` names windows by the user's date, and every date is used once. When the zone changes, the running window ends
 * when it would have ended; the next one is the next date and ends at midnight in the new zone. It is longer than a day
 * when the zone moves west and shorter when it moves east, so changing zones never yields an additional day.
 *
 * `rolling24h` counts in buckets of one minute. A bucket counts until 24 hours after its end, so no period of 24 hours
 * exceeds the cap.
 */

export interface WindowPolicy {
  readonly window: 'day' | 'rolling24h'
  /** The zone of users without their own. */
  readonly timeZone: string
}

/** What is counted. Tokens are counted in the window of their message; only messages are limited. */
export const MEASURES = ['messages', 'inputTokens', 'outputTokens'] as const
export type Measure = (typeof MEASURES)[number]

export interface WindowUsage {
  readonly count: number
  /** The window that new usage is counted in. */
  readonly window: string
  /** What is counted in that window alone. */
  readonly inWindow: number
  /** When everything counted now will no longer count, epoch ms; null when nothing is counted. */
  readonly clearAt: number | null
  /** When the count next falls by at least `needed`, epoch ms. */
  freeAt(needed: number): number | null
  /** Whether a window is over and nothing more can be counted in it. */
  isOver(window: string): boolean
}

export interface UsageInput {
  readonly zone: ZoneState | null
  readonly counters: readonly Counter[]
  readonly now: number
}

export function windowUsage(policy: WindowPolicy, input: UsageInput): WindowUsage {
  return policy.window === 'day' ? dayUsage(policy, input) : rollingUsage(input)
}

/** The `limit` of a counter row. Each window policy has its own rows, so that changing the policy mixes nothing. */
export function counterName(policy: WindowPolicy, measure: Measure): string {
  return policy.window === 'day' ? measure : `${measure}/minute`
}

/** The day in which usage is counted now, in the zone that applies now. */
export function runningDay(timeZone: string, { zone, counters, now }: UsageInput): Day {
  const highest = highestWindow(counters, 'messages')
  const isPending = zone !== null && zone.effectiveAt !== null && now < Date.parse(zone.effectiveAt)
  const name = (isPending ? zone.previous : zone?.current) ?? timeZone
  const day = dayAt(name, now)
  const first = isPending ? null : (zone?.firstDate ?? null)
  const date = [day.date, highest, first].reduce<string>(
    (latest, other) => (other !== null && other > latest ? other : latest),
    '',
  )
  return date === day.date ? day : dayOn(name, date)
}

function dayUsage({ timeZone }: WindowPolicy, input: UsageInput): WindowUsage {
  const { date, end } = runningDay(timeZone, input)
  const count = countIn(input.counters, 'messages', date)
  // The previous day is not over: tokens and refunds of turns that began in it are still counted there.
  const previous = input.counters.reduce(
    (latest, { limit, window }) => (limit === 'messages' && window < date && window > latest ? window : latest),
    '',
  )
  return {
    count,
    window: date,
    inWindow: count,
    clearAt: end,
    freeAt: () => end,
    isOver: (window) => window !== date && window < previous,
  }
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const MINUTE_COUNTER = 'messages/minute'

function rollingUsage({ counters, now }: UsageInput): WindowUsage {
  const highest = highestWindow(counters, MINUTE_COUNTER)
  const minute = Math.max(Math.floor(now / MINUTE_MS), highest === null ? 0 : Number(highest))
  const present = Math.max(now, minute * MINUTE_MS)
  const buckets = counters.filter(
    ({ limit, window, value }) => limit === MINUTE_COUNTER && value > 0 && bucketEnd(window) > present,
  )
  const window = String(minute).padStart(9, '0')
  return {
    count: buckets.reduce((sum, { value }) => sum + value, 0),
    window,
    inWindow: countIn(counters, MINUTE_COUNTER, window),
    clearAt:
      buckets.length === 0 ? null : bucketEnd(String(Math.max(...buckets.map((bucket) => Number(bucket.window))))),
    freeAt: (needed) => freeAt(buckets, needed),
    isOver: (other) => bucketEnd(other) <= present,
  }
}

function freeAt(buckets: readonly Counter[], needed: number): number | null {
  let freed = 0
  let at: number | null = null
  for (const { window, value } of buckets.toSorted((a, b) => (a.window < b.window ? -1 : 1))) {
    at = bucketEnd(window)
    freed += value
    if (freed >= needed) break
  }
  return at
}

/** When a minute no longer counts, epoch ms. */
function bucketEnd(window: string): number {
  return (Number(window) + 1) * MINUTE_MS + DAY_MS
}

function highestWindow(counters: readonly Counter[], limit: string): string | null {
  let highest: string | null = null
  for (const counter of counters) {
    if (counter.limit === limit && (highest === null || counter.window > highest)) highest = counter.window
  }
  return highest
}

export function countIn(counters: readonly Counter[], limit: string, window: string): number {
  for (const counter of counters) if (counter.limit === limit && counter.window === window) return counter.value
  return 0
}
