const DAY_MS = 86_400_000

/** The last `count` dates up to now in a zone, oldest first: `2026-11-29`. */
export function lastDays(now: number, count: number, timeZone = 'UTC'): readonly string[] {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const today = Date.parse(`${format.format(now)}T00:00:00Z`)
  return Array.from({ length: count }, (_, index) =>
    new Date(today - (count - 1 - index) * DAY_MS).toISOString().slice(0, 10),
  )
}
