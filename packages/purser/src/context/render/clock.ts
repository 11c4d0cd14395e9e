import { PROMPT_WORDING } from '../../templates/prompt-wording.ts'
import { zoneOf } from './zone.ts'

export type ClockPrecision = 'minute' | 'second' | 'off'

export interface ClockText {
  readonly text: string
  /** Epoch ms. */
  readonly changesAt: number
}

const PRECISION_MS = { minute: 60_000, second: 1_000 } as const
const OFF: ClockText = { text: '', changesAt: Number.POSITIVE_INFINITY }
/** Cached texts, by precision and zone. */
const MAX_TEXTS = 1_024

/** Makes the function that renders the current time, once per zone and minute (or second). The text always has seconds. */
export function createClock(): (timeZone: string, precision: ClockPrecision, now: number) => ClockText {
  const texts = new Map<string, ClockText>()
  return (timeZone, precision, now) => {
    if (precision === 'off') return OFF
    const precisionMs = PRECISION_MS[precision]
    const key = `${precision} ${timeZone}`
    const changesAt = (Math.floor(now / precisionMs) + 1) * precisionMs
    let cached = texts.get(key)
    if (cached === undefined || cached.changesAt !== changesAt) {
      const wallTime = zoneOf(timeZone)?.format(changesAt - precisionMs) ?? ''
      cached = { text: PROMPT_WORDING.currentTime(wallTime, timeZone), changesAt }
      if (texts.size >= MAX_TEXTS) texts.clear()
      texts.set(key, cached)
    }
    return cached
  }
}
