import { type Day, dayAt, dayOn } from './calendar.ts'
import type { Usage, ZoneState } from './state.ts'

/*
 * Window arithmetic. What is used is counted by measure and window. The name of a window sorts as text in time order.
 * The newest window is never dropped and thus records the highest one seen: a clock that is set back reopens none.
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
const MEASURES = ['messages', 'inputTokens', 'outputTokens'] as const
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
  readonly usage: Usage
  readonly now: number
}

export function windowUsage(policy: WindowPolicy, input: UsageInput): WindowUsage {
  return policy.window === 'day' ? dayUsage(policy, input) : rollingUsage(input)
}

/** The name of a counter. Each window policy has its own counters, so that changing the policy mixes nothing. */
export function counterName(policy: WindowPolicy, measure: Measure): string {
  return policy.window === 'day' ? measure : `${measure}/minute`
}

/** The day in which usage is counted now, in the zone that applies now. */
export function runningDay(timeZone: string, { zone, usage, now }: UsageInput): Day {
  const highest = highestWindow(usage, 'messages')
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
  const count = countIn(input.usage, 'messages', date)
  // The previous day is not over: tokens and refunds of turns that began in it are still counted there.
  let previous = ''
  for (const window in input.usage.messages) if (window < date && window > previous) previous = window
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

function rollingUsage({ usage, now }: UsageInput): WindowUsage {
  const highest = highestWindow(usage, MINUTE_COUNTER)
  const minute = Math.max(Math.floor(now / MINUTE_MS), highest === null ? 0 : Number(highest))
  const present = Math.max(now, minute * MINUTE_MS)
  const buckets = Object.entries(usage[MINUTE_COUNTER] ?? {}).filter(
    ([window, value]) => value > 0 && bucketEnd(window) > present,
  )
  const window = String(minute).padStart(9, '0')
  return {
    count: buckets.reduce((sum, [, value]) => sum + value, 0),
    window,
    inWindow: countIn(usage, MINUTE_COUNTER, window),
    clearAt: buckets.length === 0 ? null : bucketEnd(String(Math.max(...buckets.map(([minute]) => Number(minute))))),
    freeAt: (needed) => freeAt(buckets, needed),
    isOver: (other) => bucketEnd(other) <= present,
  }
}

function freeAt(buckets: readonly (readonly [window: string, value: number])[], needed: number): number | null {
  let freed = 0
  let at: number | null = null
  for (const [window, value] of buckets.toSorted((a, b) => (a[0] < b[0] ? -1 : 1))) {
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

function highestWindow(usage: Usage, counter: string): string | null {
  let highest: string | null = null
  for (const window in usage[counter]) if (highest === null || window > highest) highest = window
  return highest
}

export function countIn(usage: Usage, counter: string, window: string): number {
  return usage[counter]?.[window] ?? 0
}

/** The usage after an admission in the window; windows in which nothing more can be counted are dropped. */
export function countMessages(
  policy: WindowPolicy,
  usage: Usage,
  { window, value, isOver }: { readonly window: string; readonly value: number; isOver(window: string): boolean },
): Usage {
  const messages = counterName(policy, 'messages')
  const next: Record<string, Readonly<Record<string, number>>> = { ...usage }
  next[messages] = { ...usage[messages], [window]: value }
  for (const measure of MEASURES) {
    const counter = counterName(policy, measure)
    const windows = next[counter]
    if (windows !== undefined) next[counter] = withoutWindows(windows, isOver)
  }
  return next
}

function withoutWindows(
  windows: Readonly<Record<string, number>>,
  isOver: (window: string) => boolean,
): Readonly<Record<string, number>> {
  const over = Object.keys(windows).filter(isOver)
  if (over.length === 0) return windows
  const next = { ...windows }
  for (const window of over) delete next[window]
  return next
}

/** The usage with these differences in a window; unchanged when the window was dropped, because it is not read again. */
export function changeCounters(
  policy: WindowPolicy,
  usage: Usage,
  { window, differences }: { readonly window: string; readonly differences: Partial<Record<Measure, number>> },
): Usage {
  if (usage[counterName(policy, 'messages')]?.[window] === undefined) return usage
  const next: Record<string, Readonly<Record<string, number>>> = { ...usage }
  for (const measure of MEASURES) {
    const difference = differences[measure] ?? 0
    if (difference === 0) continue
    const counter = counterName(policy, measure)
    next[counter] = { ...next[counter], [window]: Math.max(0, countIn(usage, counter, window) + difference) }
  }
  return next
}
