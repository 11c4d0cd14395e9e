import { LRUCache } from 'lru-cache'
import { Temporal } from 'temporal-polyfill'
import { PurserError } from '../errors.ts'

/*
 * Calendar days in IANA zones.
 *
 * A day is the time from the first instant of its date to the first instant of the next date. So days follow each
 * other without gap or overlap whatever the zone does: a clock put back over midnight does not bring yesterday back,
 * midnight may not exist (São Paulo), and a date that does not exist (Apia, 2011-12-30) is a day without length.
 */

export interface Day {
  /** ISO date, such as `2026-01-31`; dates sort as text. */
  readonly date: string
  /** First instant, epoch ms. */
  readonly start: number
  /** First instant of the next date, epoch ms. */
  readonly end: number
}

/** More than there are zones; a day is looked up at every admission and made once. */
const MAX_CACHED_DAYS = 1_024
const lastDays = new LRUCache<string, Day>({ max: MAX_CACHED_DAYS })

/** The day that holds an instant in a zone. */
export function dayAt(zone: string, now: number): Day {
  const known = lastDays.get(zone)
  if (known !== undefined && known.start <= now && now < known.end) return known
  const date = Temporal.Instant.fromEpochMilliseconds(Math.trunc(now)).toZonedDateTimeISO(zone).toPlainDate()
  let day = dayOf(zone, date)
  // After a clock was put back over midnight the date reads as yesterday's, but its day is over.
  if (day.end <= now) day = dayOf(zone, date.add({ days: 1 }))
  lastDays.set(zone, day)
  return day
}

/** The day of a date in a zone. */
export function dayOn(zone: string, date: string): Day {
  return dayOf(zone, Temporal.PlainDate.from(date))
}

export function nextDate(date: string): string {
  return Temporal.PlainDate.from(date).add({ days: 1 }).toString()
}

/** The zone's name in its own spelling. Throws `timezone_invalid` for all but names of IANA zones. */
export function zoneName(zone: unknown): string {
  if (typeof zone === 'string' && /^[a-z]/i.test(zone) && zone.length <= 64) {
    try {
      return new Temporal.ZonedDateTime(0n, zone).timeZoneId
    } catch {}
  }
  throw new PurserError(
    'timezone_invalid',
    `${typeof zone === 'string' ? `'${zone.slice(0, 64)}'` : `A ${typeof zone}`} is not an IANA time zone.`,
    {
      hint: "Use a name such as 'Europe/Berlin' or 'UTC', or null for the default.",
      details: { param: 'timeZone' },
    },
  )
}

function dayOf(zone: string, date: Temporal.PlainDate): Day {
  return { date: date.toString(), start: firstInstant(zone, date), end: firstInstant(zone, date.add({ days: 1 })) }
}

function firstInstant(zone: string, date: Temporal.PlainDate): number {
  return date.toZonedDateTime(zone).epochMilliseconds
}
