/** Wall-clock time of instants in one time zone. */
export interface Zone {
  readonly name: string
  /** `YYYY-MM-DDTHH:MM:SS`, in local time. */
  format(instant: number): string
}

const QUARTER_MS = 900_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Cached offsets, per zone. */
const MAX_OFFSETS = 4_096
/** Cached zones; one zone may have several names. */
const MAX_ZONES = 1_024

const zones = new Map<string, Zone>()

/** The zone of an IANA name, undefined for an unknown one. Zones are cached by name. */
export function zoneOf(name: string): Zone | undefined {
  let zone = zones.get(name)
  if (zone === undefined) {
    zone = createZone(name)
    if (zone === undefined) return undefined
    if (zones.size >= MAX_ZONES) zones.clear()
    zones.set(name, zone)
  }
  return zone
}

/** The start of the next calendar day of a zone, epoch ms; on a day on which the clocks change, within the hour after. */
export function nextMidnight(now: number, timeZone: string): number {
  const zone = zoneOf(timeZone) as Zone
  const [hours = 0, minutes = 0, seconds = 0] = zone.format(now).slice(11).split(':').map(Number)
  const next = now - (now % 1_000) + DAY_MS - ((hours * 60 + minutes) * 60 + seconds) * 1_000
  // If the day is an hour longer, the clock still shows 23:00.
  return zone.format(next).slice(0, 10) === zone.format(now).slice(0, 10) ? next + HOUR_MS : next
}

/**
 * A call of Intl for every date is slow, and the result is nearly always the one of the previous date. So the offset is
 * computed once per quarter of an hour. Zones change at these, but not all: in a quarter that ends with another offset than
 * it begins with, it is computed for each instant.
 */
function createZone(name: string): Zone | undefined {
  const calendar = createCalendar(name)
  if (calendar === undefined) return undefined
  const offsets = new Map<number, number>()
  const compute = (instant: number): number => computeOffset(calendar, instant)

  function offsetAt(instant: number): number {
    const quarter = Math.floor(instant / QUARTER_MS)
    const offset = offsetAtStartOf(quarter)
    return offset === offsetAtStartOf(quarter + 1) ? offset : compute(instant)
  }

  function offsetAtStartOf(quarter: number): number {
    let offset = offsets.get(quarter)
    if (offset === undefined) {
      offset = compute(quarter * QUARTER_MS)
      if (offsets.size >= MAX_OFFSETS) offsets.clear()
      offsets.set(quarter, offset)
    }
    return offset
  }

  return { name, format: (instant) => formatWallTime(instant + offsetAt(instant)) }
}

function createCalendar(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    return undefined
  }
}

/** Offset from UTC in ms. */
function computeOffset(calendar: Intl.DateTimeFormat, instant: number): number {
  const part: Record<string, string> = {}
  for (const { type, value } of calendar.formatToParts(instant)) part[type] = value
  const wall = new Date(0)
  const year = Number(part.year)
  wall.setUTCFullYear(part.era === 'BC' ? 1 - year : year, Number(part.month) - 1, Number(part.day))
  wall.setUTCHours(Number(part.hour), Number(part.minute), Number(part.second))
  return wall.getTime() - Math.floor(instant / 1_000) * 1_000
}

/** `wall`: local time as if it were UTC, epoch ms. */
function formatWallTime(wall: number): string {
  const text = new Date(wall).toISOString()
  // Years before 1 and after 9999, possible in some zones on the first and the last day, have a sign and six digits.
  return text.slice(0, text.length - 5)
}
