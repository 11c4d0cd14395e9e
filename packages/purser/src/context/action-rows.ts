import { ACTION_FIELD_NAMES } from '../templates/action-templates.ts'
import type { JsonValue } from './copy-data.ts'

/** One action of a feed, ready to be rendered. */
export interface ActionRow {
  readonly action: string
  /** Epoch ms; null when the row has no readable date. */
  readonly at: number | null
  readonly label?: string | undefined
  readonly sublabel?: string | undefined
}

/** Parses the rows of a feed one by one: an unreadable row is omitted, the others stay. Names may be text or numbers. */
export function parseActionRows(feed: readonly JsonValue[]): ActionRow[] {
  return feed.flatMap((row) => parseActionRow(row) ?? [])
}

function parseActionRow(row: JsonValue): ActionRow | undefined {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return undefined
  const fields = row as { readonly [name: string]: JsonValue }
  const action = nameOf(fieldOf(fields, 'action'))
  if (action === undefined) return undefined
  return {
    action,
    at: parseTimestamp(fieldOf(fields, 'at')),
    label: nameOf(fieldOf(fields, 'label')),
    sublabel: nameOf(fieldOf(fields, 'sublabel')),
  }
}

/** The value of an action's field under the first of its names that is present; null counts as absent. */
export function fieldOf(row: Readonly<Record<string, unknown>>, field: keyof typeof ACTION_FIELD_NAMES): unknown {
  for (const name of ACTION_FIELD_NAMES[field]) {
    const value = row[name]
    if (value !== undefined && value !== null) return value
  }
  return undefined
}

function nameOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : undefined
}

const TIMESTAMP =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i

const EARLIEST = Date.parse('0001-01-01T00:00:00Z')
const LATEST = Date.parse('9999-12-31T23:59:59.999Z')
/** Smaller numbers are epoch seconds: as milliseconds they would all fall into the years around 1970. */
const MIN_EPOCH_MS = 100_000_000_000

/**
 * Epoch ms of a date as feeds write it: ISO 8601 text, `YYYY-MM-DD hh:mm:ss`, epoch milliseconds or epoch seconds.
 * Without an offset it is UTC, whatever the zone of the host. Null for anything but a date of the years 1 to 9999.
 */
export function parseTimestamp(value: unknown): number | null {
  if (typeof value === 'number') return inRange(Math.abs(value) < MIN_EPOCH_MS ? value * 1_000 : value)
  if (typeof value !== 'string' || value.length > 64) return null
  const match = TIMESTAMP.exec(value.trim())
  if (match === null) return null
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  // Date.UTC reads the years 0 to 99 as 1900 to 1999; the text form does not.
  const local = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 10) !== `${year}-${month}-${day}`) return null
  const offset = parseOffset(zone)
  if (offset === null) return null
  return inRange(local + Math.trunc(Number(`0.${fraction || '0'}`) * 1_000) - offset)
}

/** Offset from UTC in ms. */
function parseOffset(zone: string): number | null {
  if (zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2)) * (zone.length > 3 ? 1 : 0)
  if (hours > 23 || minutes > 59) return null
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

function inRange(instant: number): number | null {
  return instant >= EARLIEST && instant <= LATEST ? Math.trunc(instant) : null
}
