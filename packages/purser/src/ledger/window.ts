import type { Counter } from '../storage/commit.ts'
import { type Day, dayAt, dayOn } from './calendar.ts'
import type { ZoneState } from './state.ts'

/*
 * Windows. Use is counted in rows of (limit, window); a window's name sorts as text in the order of time, and the
 * newest row is never dropped, so that it remembers the highest window seen: a clock that goes back never opens a
 * window again.
 *
 * `day` names windows by the user's date, and a date is given once. When the zone changes, the running window ends
 * when it was going to end; the next one is the next date, which ends at midnight of the new zone. On the way west
 * it is longer than a day, on the way east shorter; nobody gains a second day by travelling in settings.
 *
 * `rolling24h` counts in buckets of a minute. A bucket counts until 24 hours after its end, so that no 24 hours hold
 * more than the cap.
 */

export interface WindowPolicy {
  readonly window: 'day' | 'rolling24h'
  /** The zone of users without one of their own. */
  readonly timeZone: string
}

/** What is counted. Tokens follow the windows of messages; only messages are limited so far. */
export const LIMITS = ['messages', 'inputTokens', 'outputTokens'] as const
export type Limit = (typeof LIMITS)[number]

export interface Usage {
  readonly count: number
  /** The window that new use goes to. */
  readonly window: string
  /** What is counted in that window alone. */
  readonly inWindow: number
  /** When everything counted now will have left the count, epoch ms; null when nothing is counted or ever leaves. */
  readonly clearAt: number | null
  /** When the count next falls by at least `needed`, epoch ms. */
  freeAt(needed: number): number | null
  /** Whether a window is over for good and nothing more can be counted in it. */
  isOver(window: string): boolean
}

export interface Counted {
  readonly zone: ZoneState | null
  readonly counters: readonly Counter[]
  readonly now: number
}

export function usageOf(policy: WindowPolicy, counted: Counted): Usage {
  return policy.window === 'day' ? dayUsage(policy, counted) : rollingUsage(counted)
}

/** Counter rows of the two window kinds stay apart, so that changing the policy mixes nothing up. */
export function limitName(policy: WindowPolicy, limit: Limit): string {
  return policy.window === 'day' ? limit : `${limit}/minute`
}

/** The day in which use is counted now, in the zone that holds now. */
export function runningDay(timeZone: string, { zone, counters, now }: Counted): Day {
  const highest = highestWindow(counters, 'messages')
  const waiting = zone !== null && zone.effectiveAt !== null && now < Date.parse(zone.effectiveAt)
  const name = (waiting ? zone.previous : zone?.current) ?? timeZone
  const day = dayAt(name, now)
  const first = waiting ? null : (zone?.firstDate ?? null)
  const date = [day.date, highest, first].reduce<string>(
    (latest, other) => (other !== null && other > latest ? other : latest),
    '',
  )
  return date === day.date ? day : dayOn(name, date)
}

function dayUsage({ timeZone }: WindowPolicy, counted: Counted): Usage {
  const { date, end } = runningDay(timeZone, counted)
  const count = countIn(counted.counters, 'messages', date)
  // The day before stays, for tokens and refunds of turns that began in it.
  const previous = counted.counters.reduce(
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

const MINUTE = 60_000
const DAY = 86_400_000
const BUCKET_LIMIT = 'messages/minute'

function rollingUsage({ counters, now }: Counted): Usage {
  const highest = highestWindow(counters, BUCKET_LIMIT)
  const minute = Math.max(Math.floor(now / MINUTE), highest === null ? 0 : Number(highest))
  const present = Math.max(now, minute * MINUTE)
  const live = counters.filter(
    ({ limit, window, value }) => limit === BUCKET_LIMIT && value > 0 && leavesAt(window) > present,
  )
  const window = String(minute).padStart(9, '0')
  return {
    count: live.reduce((sum, { value }) => sum + value, 0),
    window,
    inWindow: countIn(counters, BUCKET_LIMIT, window),
    clearAt: live.length === 0 ? null : leavesAt(String(Math.max(...live.map((bucket) => Number(bucket.window))))),
    freeAt: (needed) => freeAt(live, needed),
    isOver: (other) => leavesAt(other) <= present,
  }
}

function freeAt(live: readonly Counter[], needed: number): number | null {
  let freed = 0
  let at: number | null = null
  for (const { window, value } of live.toSorted((a, b) => (a.window < b.window ? -1 : 1))) {
    at = leavesAt(window)
    freed += value
    if (freed >= needed) break
  }
  return at
}

function leavesAt(window: string): number {
  return (Number(window) + 1) * MINUTE + DAY
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
