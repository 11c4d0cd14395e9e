import type { Period } from '../../api/queries.ts'
import type { TimeRange } from './segment.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Ranges that end now, by their value in the address; '' is everything. */
export const PRESETS = [
  ['day', '24 h'],
  ['week', '7 days'],
  ['month', '30 days'],
  ['', 'All'],
] as const

export type Preset = (typeof PRESETS)[number][0]

const PRESET_MS: Readonly<Record<Exclude<Preset, ''>, number>> = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS }

/** The period that a user's page shows. */
export interface PageRange extends TimeRange {
  /** Null: chosen with the brush. */
  readonly preset: Preset | null
  /** The same for the API. Presets have no end, and begin at a full hour, so that a period lasts as a key of queries. */
  readonly period: Period
}

/** Reads the range in an address: a preset, or two instants. Anything else, and what lies outside, is everything. */
export function parsePageRange(text: string, extent: TimeRange): PageRange {
  const [from, to] = text.split('~').map((part) => Date.parse(part))
  if (from !== undefined && to !== undefined && from < to && from < extent.to && to > extent.from) {
    const period = { from: formatIso(from), to: formatIso(to) }
    return { from: Math.max(from, extent.from), to: Math.min(to, extent.to), preset: null, period }
  }
  const preset = PRESETS.find(([name]) => name === text)?.[0] ?? ''
  if (preset === '') return { ...extent, preset, period: {} }
  const start = Math.floor((extent.to - PRESET_MS[preset]) / HOUR_MS) * HOUR_MS
  return { from: Math.max(extent.from, start), to: extent.to, preset, period: { from: formatIso(start) } }
}

function formatIso(epochMs: number): string {
  return new Date(epochMs).toISOString()
}

/** The text of a range in an address, in the whole minutes that contain it, so that it stays short. */
export function formatPageRange({ from, to }: TimeRange): string {
  const format = (minutes: number): string => `${formatIso(minutes * MINUTE_MS).slice(0, 16)}Z`
  return `${format(Math.floor(from / MINUTE_MS))}~${format(Math.ceil(to / MINUTE_MS))}`
}

export function isWithin(at: string, { from, to }: TimeRange): boolean {
  const instant = Date.parse(at)
  return instant >= from && instant <= to
}
