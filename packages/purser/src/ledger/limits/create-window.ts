import { SlidingWindow } from './sliding-window.ts'
import { CalendarWindow, FirstUseWindow, TotalWindow } from './stored-windows.ts'
import type { RuleWindow } from './window.ts'

export interface WindowSpec {
  readonly text: string | null
  readonly weekStart: 'monday' | 'sunday'
}

const MINUTE_MS = 60_000
const UNIT_MS: Readonly<Record<string, number>> = { m: MINUTE_MS, h: 3_600_000, d: 86_400_000 }
const MAX_LENGTH_MS = 30 * 86_400_000
const PARTS = 60

/** Compiles the text of a window; undefined when it is none. */
export function createWindow({ text, weekStart }: WindowSpec): RuleWindow | undefined {
  if (text === 'day' || text === 'week' || text === 'month') return new CalendarWindow(text, weekStart)
  if (text === 'total') return new TotalWindow()
  // The window of the daily cap, which counts by the minute.
  if (text === 'rolling24h') return new SlidingWindow({ lengthMs: 86_400_000, partMs: MINUTE_MS })
  // Slots are not counted; what was reported about them is repeated after a day at the earliest.
  if (text === null) return new SlidingWindow({ lengthMs: 86_400_000, partMs: MINUTE_MS })
  const [, sliding, number = '', unit = ''] = /^(sliding:)?([1-9]\d{0,4})([mhd])$/.exec(text) ?? []
  const lengthMs = Number(number) * (UNIT_MS[unit] ?? 0)
  if (lengthMs < MINUTE_MS || lengthMs > MAX_LENGTH_MS) return undefined
  return sliding === undefined
    ? new FirstUseWindow(lengthMs)
    : new SlidingWindow({ lengthMs, partMs: lengthMs / PARTS })
}
