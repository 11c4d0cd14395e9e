import type { Mode } from '../../options/context-section.ts'
import { PLAIN_WORDING } from '../../templates/plain-wording.ts'
import { PROMPT_WORDING } from '../../templates/prompt-wording.ts'
import { zoneOf } from './zone.ts'

export type ClockPrecision = 'minute' | 'second' | 'off'

export interface ClockFormat {
  readonly precision: ClockPrecision
  readonly mode: Mode
}

export interface ClockText {
  readonly text: string
  /** Epoch ms. */
  readonly changesAt: number
}

const PRECISION_MS = { minute: 60_000, second: 1_000 } as const
const OFF: ClockText = { text: '', changesAt: Number.POSITIVE_INFINITY }
/** Cached texts, by mode, precision and zone. */
const MAX_TEXTS = 1_024

/**
 * Makes the function that renders the current time, once per zone and minute (or second). Mode `plain` omits seconds that
 * are always zero; mode `create` has no clock.
 */
export function createClock(): (timeZone: string, format: ClockFormat, now: number) => ClockText {
  const texts = new Map<string, ClockText>()
  return (timeZone, { mode, precision }, now) => {
    if (precision === 'off' || mode === 'create') return OFF
    const precisionMs = PRECISION_MS[precision]
    const key = `${mode} ${precision} ${timeZone}`
    const changesAt = (Math.floor(now / precisionMs) + 1) * precisionMs
    let cached = texts.get(key)
    if (cached === undefined || cached.changesAt !== changesAt) {
      const wallTime = zoneOf(timeZone)?.format(changesAt - precisionMs) ?? ''
      cached = { text: clockText(wallTime, timeZone, { mode, precision }), changesAt }
      if (texts.size >= MAX_TEXTS) texts.clear()
      texts.set(key, cached)
    }
    return cached
  }
}

function clockText(wallTime: string, timeZone: string, { mode, precision }: ClockFormat): string {
  if (mode !== 'plain') return PROMPT_WORDING.currentTime(wallTime, timeZone)
  return PLAIN_WORDING.currentTime(wallTime.replace('T', ' ').slice(0, precision === 'minute' ? 16 : 19), timeZone)
}
