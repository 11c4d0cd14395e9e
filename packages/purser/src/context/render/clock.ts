import { WORDS } from '../../templates/prompt-wording.ts'
import { zoneOf } from './zone.ts'

export type Precision = 'minute' | 'second' | 'off'

export interface ClockText {
  readonly text: string
  /** Epoch ms. */
  readonly changesAt: number
}

const GRAIN_MS = { minute: 60_000, second: 1_000 } as const
const OFF: ClockText = { text: '', changesAt: Number.POSITIVE_INFINITY }

/** The current-time hint, made once per zone and minute (or second). Its form says seconds even when it counts minutes. */
export function createClockTexts(): (zoneName: string, precision: Precision, now: number) => ClockText {
  const latest = new Map<string, ClockText>()
  return (zoneName, precision, now) => {
    if (precision === 'off') return OFF
    const grainMs = GRAIN_MS[precision]
    const key = `${precision} ${zoneName}`
    const changesAt = (Math.floor(now / grainMs) + 1) * grainMs
    let found = latest.get(key)
    if (found === undefined || found.changesAt !== changesAt) {
      const wall = zoneOf(zoneName)?.format(changesAt - grainMs) ?? ''
      found = { text: WORDS.clock(wall, zoneName), changesAt }
      if (latest.size >= MAX_CLOCKS) latest.clear()
      latest.set(key, found)
    }
    return found
  }
}

const MAX_CLOCKS = 1_024
