import { LRUCache } from 'lru-cache'
import { Temporal } from 'temporal-polyfill'
import { throwInvalid } from '../core/validate.ts'

/*
 * Calendar days in IANA zones.
 *
 * A day is the time from the first instant of its date to the first instant of the next date. Days therefore follow
 * each other without gap or overlap, whatever the zone does: a clock set back over midnight does not return to the
 * previous day, midnight may not exist (São Paulo), and a date that does not exist (Apia, 2011-12-30) is a day of
 * length 0.
 */

export interface Day {
  /** ISO date, such as `2026-01-31`; dates sort as text. */
  readonly date: string
  /** First instant, epoch ms. */
  readonly start: number
  /** First instant of the next date, epoch ms. */
  readonly end: number
}

/** More than there are zones. Every admission looks up a day. */
const MAX_CACHED_DAYS = 1_024
const latestDays = new LRUCache<string, Day>({ max: MAX_CACHED_DAYS })

/** The day that contains an instant in a zone. */
export function dayAt(zone: string, now: number): Day {
  const cached = latestDays.get(zone)
  if (cached !== undefined && cached.start <= now && now < cached.end) return cached
  const date = Temporal.Instant.fromEpochMilliseconds(Math.trunc(now)).toZonedDateTimeISO(zone).toPlainDate()
  let day = dayOf(zone, date)
  // After a clock was set back over midnight the local date is that of the previous day, which is over.
  if (day.end <= now) day = dayOf(zone, date.add({ days: 1 }))
  latestDays.set(zone, day)
  return day
}

/** The day of a date in a zone. */
export function dayOn(zone: string, date: string): Day {
  return dayOf(zone, Temporal.PlainDate.from(date))
}

export function nextDate(date: string): string {
  return Temporal.PlainDate.from(date).add({ days: 1 }).toString()
}

const ZONE_MAX_LENGTH = 64

/** The canonical spelling of an IANA zone name. Throws `timezone_invalid` for anything else, offsets included. */
export function parseTimeZone(zone: unknown): string {
  if (typeof zone === 'string' && /^[a-z]/i.test(zone) && zone.length <= ZONE_MAX_LENGTH) {
    try {
      return new Temporal.ZonedDateTime(0n, zone).timeZoneId
    } catch {}
  }
  const shown = typeof zone === 'string' ? `'${zone.slice(0, ZONE_MAX_LENGTH)}'` : `A ${typeof zone}`
  return throwInvalid(`${shown} is not an IANA time zone.`, {
    name: 'timeZone',
    code: 'timezone_invalid',
    hint: "Use a name such as 'Europe/Berlin' or 'UTC', or null for the default.",
  })
}

/** The last formatted instant: most users' windows end at the same one. */
let lastInstant = { epochMs: 0, text: new Date(0).toISOString() }

/** ISO 8601, UTC. */
export function formatInstant(epochMs: number): string
export function formatInstant(epochMs: number | null): string | null
export function formatInstant(epochMs: number | null): string | null {
  if (epochMs === null) return null
  if (lastInstant.epochMs !== epochMs) lastInstant = { epochMs, text: new Date(epochMs).toISOString() }
  return lastInstant.text
}

function dayOf(zone: string, date: Temporal.PlainDate): Day {
  return { date: date.toString(), start: firstInstant(zone, date), end: firstInstant(zone, date.add({ days: 1 })) }
}

function firstInstant(zone: string, date: Temporal.PlainDate): number {
  return date.toZonedDateTime(zone).epochMilliseconds
}
