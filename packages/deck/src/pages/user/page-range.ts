import type { TimeRange } from './timeline-tracks.ts'

const DAY_MS = 86_400_000

/** Ranges that end now, by their value in the address; '' is everything. */
export const PRESETS = [
  ['day', '24 h'],
  ['week', '7 days'],
  ['month', '30 days'],
  ['', 'All'],
] as const

export type Preset = (typeof PRESETS)[number][0]

const PRESET_MS: Readonly<Record<Preset, number>> = {
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 30 * DAY_MS,
  '': Number.POSITIVE_INFINITY,
}

/** The period that a user's page shows. */
export interface PageRange extends TimeRange {
  /** Null: chosen with the brush. */
  readonly preset: Preset | null
}

/** Reads the range in an address: a preset, or two instants. Anything else, and what lies outside, is everything. */
export function parsePageRange(text: string, extent: TimeRange): PageRange {
  const [from, to] = text.split('~').map((part) => Date.parse(part))
  if (from !== undefined && to !== undefined && from < to && from < extent.to && to > extent.from) {
    return { from: Math.max(from, extent.from), to: Math.min(to, extent.to), preset: null }
  }
  const preset = PRESETS.find(([name]) => name === text)?.[0] ?? ''
  return { from: Math.max(extent.from, extent.to - PRESET_MS[preset]), to: extent.to, preset }
}

/** The text of a range in an address, in whole minutes, so that it stays short. */
export function formatPageRange({ from, to }: TimeRange): string {
  const format = (at: number): string => `${new Date(at).toISOString().slice(0, 16)}Z`
  return `${format(from)}~${format(to)}`
}

export function isWithin(at: string, { from, to }: TimeRange): boolean {
  const instant = Date.parse(at)
  return instant >= from && instant <= to
}
