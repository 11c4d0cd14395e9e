/** How instants and durations are told. Pure: the present moment and the zone are handed in. */

export type Zone = { readonly name: string | undefined; readonly label: string }

const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000

const formats = new Map<string, Intl.DateTimeFormat>()

function format(zone: Zone, kind: 'time' | 'day' | 'full'): Intl.DateTimeFormat {
  const key = `${kind} ${zone.name ?? ''}`
  let found = formats.get(key)
  if (found === undefined) {
    const shape: Intl.DateTimeFormatOptions =
      kind === 'time'
        ? { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }
        : kind === 'day'
          ? { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }
          : { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' }
    found = new Intl.DateTimeFormat('en-GB', zone.name === undefined ? shape : { ...shape, timeZone: zone.name })
    formats.set(key, found)
  }
  return found
}

/** `14:03:22` */
export function timeOf(at: string, zone: Zone): string {
  return format(zone, 'time').format(Date.parse(at))
}

/** `Friday, 20 November 2026` */
export function dayOf(at: string, zone: Zone): string {
  return format(zone, 'day').format(Date.parse(at))
}

/** `20 Nov 2026, 14:03:22 UTC` */
export function fullInstant(at: string, zone: Zone): string {
  return `${format(zone, 'full').format(Date.parse(at))} ${zone.label}`
}

/** `5 min ago`, `in 3 h`; a day or more back becomes a date. Coarse on purpose: a page that ticks is not calm. */
export function relative(at: string, now: number): string {
  const distance = Date.parse(at) - now
  const size = Math.abs(distance)
  const told = (text: string): string => (distance > 0 ? `in ${text}` : `${text} ago`)
  if (size < 45_000) return distance > MINUTE / 4 ? 'in a moment' : 'just now'
  if (size < HOUR) return told(`${Math.max(1, Math.round(size / MINUTE))} min`)
  if (size < DAY) return told(`${Math.round(size / HOUR)} h`)
  if (size < 14 * DAY) return told(plural(Math.round(size / DAY), 'day'))
  return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' }).format(Date.parse(at))
}

/** `45 s`, `12 min`, `3 h 20 min`, `6 days`. */
export function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.round(ms / 1000))} s`
  if (ms < HOUR) return `${Math.round(ms / MINUTE)} min`
  if (ms < DAY) {
    const hours = Math.floor(ms / HOUR)
    const minutes = Math.round((ms - hours * HOUR) / MINUTE)
    return minutes === 0 || minutes === 60 ? `${hours + (minutes === 60 ? 1 : 0)} h` : `${hours} h ${minutes} min`
  }
  return plural(Math.round(ms / DAY), 'day')
}

/** `1 user`, `1,204 users`. */
export function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`
}

const wholeFormat = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 })

/** `1,204` */
export function whole(value: number): string {
  return wholeFormat.format(value)
}

/** `3.4 MB` */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let size = value
  let unit = 0
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit += 1
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}
