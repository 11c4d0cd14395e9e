import { pluralize } from '../format-number.ts'

/* Formats instants and durations. Pure: the current time and the time zone are arguments. */

/** `name`: IANA zone, undefined for the browser's own. `label`: shown after a time. */
export type Zone = { readonly name: string | undefined; readonly label: string }

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

const FORMATS = {
  time: { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  day: { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' },
  minute: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  date: { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  full: { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>

const formatters = new Map<string, Intl.DateTimeFormat>()

function getFormatter(zone: Zone, format: keyof typeof FORMATS): Intl.DateTimeFormat {
  const key = `${format} ${zone.name ?? ''}`
  let formatter = formatters.get(key)
  if (formatter === undefined) {
    const options = FORMATS[format]
    formatter = new Intl.DateTimeFormat(
      'en-GB',
      zone.name === undefined ? options : { ...options, timeZone: zone.name },
    )
    formatters.set(key, formatter)
  }
  return formatter
}

const dateFormat = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' })

/** `14:03:22` */
export function formatTime(at: string, zone: Zone): string {
  return getFormatter(zone, 'time').format(Date.parse(at))
}

/** `Friday, 20 November 2026` */
export function formatDay(at: string, zone: Zone): string {
  return getFormatter(zone, 'day').format(Date.parse(at))
}

/** `20 Nov 2026`, of a date as `2026-11-20`. */
export function formatDate(day: string): string {
  return dateFormat.format(Date.parse(`${day}T00:00:00Z`))
}

/** `20 Nov, 14:03`, epoch ms. */
export function formatDateTime(epochMs: number, zone: Zone): string {
  return getFormatter(zone, 'date').format(epochMs)
}

/** `20 Nov 2026, 14:03:22 UTC` */
export function formatInstant(at: string, zone: Zone): string {
  return `${getFormatter(zone, 'full').format(Date.parse(at))} ${zone.label}`
}

/** `00:00 Asia/Kolkata` within a day of now, otherwise `3 Dec, 00:00 Asia/Kolkata`. */
export function formatNearInstant(at: string, zone: Zone, now: number): string {
  const instant = Date.parse(at)
  const format = Math.abs(instant - now) < DAY_MS ? 'minute' : 'date'
  return `${getFormatter(zone, format).format(instant)} ${zone.label}`
}

/** `5 min ago`, `in 3 h`; a date from 14 days on. Coarse, so that the text does not change every second. */
export function formatRelative(at: string, now: number): string {
  const distance = Date.parse(at) - now
  const size = Math.abs(distance)
  const direct = (text: string): string => (distance > 0 ? `in ${text}` : `${text} ago`)
  if (size < 45_000) return distance > MINUTE_MS / 4 ? 'in a moment' : 'just now'
  if (size < HOUR_MS) return direct(`${Math.max(1, Math.round(size / MINUTE_MS))} min`)
  if (size < DAY_MS) return direct(`${Math.round(size / HOUR_MS)} h`)
  if (size < 14 * DAY_MS) return direct(pluralize(Math.round(size / DAY_MS), 'day'))
  return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' }).format(Date.parse(at))
}

/** `45 s`, `12 min`, `3 h 20 min`, `6 days`. */
export function formatDuration(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(0, Math.round(ms / 1000))} s`
  if (ms < HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`
  if (ms < DAY_MS) {
    const hours = Math.floor(ms / HOUR_MS)
    const minutes = Math.round((ms - hours * HOUR_MS) / MINUTE_MS)
    return minutes === 0 || minutes === 60 ? `${hours + (minutes === 60 ? 1 : 0)} h` : `${hours} h ${minutes} min`
  }
  return pluralize(Math.round(ms / DAY_MS), 'day')
}

/** `0.4 ms`, `38 ms`, `1.24 s`, then like all durations. */
export function formatMilliseconds(ms: number): string {
  if (ms < 10) return `${Math.round(ms * 10) / 10} ms`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  return ms < MINUTE_MS ? `${(ms / 1_000).toFixed(2)} s` : formatDuration(ms)
}

/** `45 s`, `12 min`, `3 h`, `6 days`: one unit, for lists. */
export function formatCoarseDuration(ms: number): string {
  return ms >= HOUR_MS && ms < DAY_MS ? `${Math.floor(ms / HOUR_MS)} h` : formatDuration(ms)
}

const INSTANT = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/g

/** The instants in a text of the server, written like all others. */
export function formatInstantsIn(text: string, zone: Zone): string {
  return text.replace(INSTANT, (at) => formatInstant(at, zone))
}
