/** Wall-clock time of instants in one zone. */
export interface Zone {
  readonly name: string
  /** `YYYY-MM-DDTHH:MM:SS`, as a clock on the wall there shows it. */
  format(instant: number): string
}

/** Since then zones only move at full quarters of an hour, UTC. */
const REGULAR_SINCE = Date.parse('1972-01-01T00:00:00Z')
const QUARTER_MS = 900_000
/** Quarters whose offset is remembered, per zone. */
const MAX_OFFSETS = 4_096
/** Zones, in all ways of writing them. */
const MAX_ZONES = 1_024

const zones = new Map<string, Zone>()

/** The zone of an IANA name, or undefined when there is none. Asking again for the same name costs a look-up. */
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

/**
 * Asking Intl for every date is slow, and the answer is nearly always that of the date before. So the offset is
 * asked for once a quarter of an hour, which is the grain at which zones move; earlier dates are asked one by one.
 */
function createZone(name: string): Zone | undefined {
  const calendar = calendarOf(name)
  if (calendar === undefined) return undefined
  const offsets = new Map<number, number>()

  function offsetAt(instant: number): number {
    if (instant < REGULAR_SINCE) return offsetBy(calendar as Intl.DateTimeFormat, instant)
    const quarter = Math.floor(instant / QUARTER_MS)
    let offset = offsets.get(quarter)
    if (offset === undefined) {
      offset = offsetBy(calendar as Intl.DateTimeFormat, quarter * QUARTER_MS)
      if (offsets.size >= MAX_OFFSETS) offsets.clear()
      offsets.set(quarter, offset)
    }
    return offset
  }

  return { name, format: (instant) => wallText(instant + offsetAt(instant)) }
}

function calendarOf(timeZone: string): Intl.DateTimeFormat | undefined {
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

function offsetBy(calendar: Intl.DateTimeFormat, instant: number): number {
  const part: Record<string, string> = {}
  for (const { type, value } of calendar.formatToParts(instant)) part[type] = value
  const wall = new Date(0)
  const year = Number(part.year)
  wall.setUTCFullYear(part.era === 'BC' ? 1 - year : year, Number(part.month) - 1, Number(part.day))
  wall.setUTCHours(Number(part.hour), Number(part.minute), Number(part.second))
  return wall.getTime() - Math.floor(instant / 1_000) * 1_000
}

function wallText(wall: number): string {
  const text = new Date(wall).toISOString()
  // Years before 1 and after 9999, which a zone can make of the first and last day, have a sign and six digits.
  return text.slice(0, text.length - 5)
}
