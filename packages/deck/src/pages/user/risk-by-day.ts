import type { Segment } from './segment.ts'

const DAY_MS = 86_400_000

/** A day of the user's zone, `2026-11-29`, and its highest level; null: nothing is known of it. */
export interface RiskDay {
  readonly day: string
  readonly level: string | null
}

/**
 * The highest level of each day. The period of a level counts for every day that it touches.
 *
 * @param days consecutive dates, oldest first
 */
export function findRiskByDay(
  segments: readonly Segment[],
  days: readonly string[],
  { timeZone, rankOf }: { timeZone: string; rankOf(level: string): number | null },
): readonly RiskDay[] {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const highest = new Map<string, string>()
  for (const { from, to, value } of segments) {
    const last = format.format(to)
    for (let day = format.format(from); day <= last; day = nextDay(day)) {
      const before = highest.get(day)
      if (before === undefined || (rankOf(value) ?? -1) > (rankOf(before) ?? -1)) highest.set(day, value)
    }
  }
  return days.map((day) => ({ day, level: highest.get(day) ?? null }))
}

function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10)
}

/** 0 for Monday. */
export function weekdayOf(day: string): number {
  return (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7
}
