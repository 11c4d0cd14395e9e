/*
 * Dates as feeds write them. With an offset they are taken as they are; without one they are UTC, whatever zone the
 * host is in. What is no date of the years 1 to 9999 is none: the row it stands in loses its date, not its neighbours.
 */

const FORM =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i

const EARLIEST = Date.parse('0001-01-01T00:00:00Z')
const LATEST = Date.parse('9999-12-31T23:59:59.999Z')
/** Numbers below this are seconds: as milliseconds they would all lie in the first weeks of 1970. */
const LEAST_MS = 100_000_000_000

/** Epoch ms, or null. Takes ISO 8601 text, `YYYY-MM-DD hh:mm:ss`, epoch milliseconds and epoch seconds. */
export function readInstant(value: unknown): number | null {
  if (typeof value === 'number') return inRange(Math.abs(value) < LEAST_MS ? value * 1_000 : value)
  if (typeof value !== 'string' || value.length > 64) return null
  const match = FORM.exec(value.trim())
  if (match === null) return null
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  // Date.UTC takes the years 0 to 99 for 1900 to 1999; the text form does not.
  const local = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 10) !== `${year}-${month}-${day}`) return null
  const offset = readOffset(zone)
  if (offset === null) return null
  return inRange(local + Math.trunc(Number(`0.${fraction || '0'}`) * 1_000) - offset)
}

function readOffset(zone: string): number | null {
  if (zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2)) * (zone.length > 3 ? 1 : 0)
  if (hours > 23 || minutes > 59) return null
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

function inRange(instant: number): number | null {
  return instant >= EARLIEST && instant <= LATEST ? Math.trunc(instant) : null
}
