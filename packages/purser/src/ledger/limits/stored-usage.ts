import type { Amount } from './amount.ts'
import type { Counter, WindowUse } from './counter.ts'
import { packCounters } from './counters.ts'
import { encodeCounters } from './encode-counters.ts'
import { periodStart, type ZoneState } from './periods.ts'
import { DAILY } from './rule.ts'
import { NO_USAGE, type Usage } from './usage.ts'

/*
 * Usage as stored. Until 0.1.0 it was amounts by counter and window, such as { messages: { '2026-03-10': 2 } }, with a
 * counter of its own for each kind of window.
 */

/** The present format. */
interface StoredUsage extends Omit<Usage, 'counters'> {
  readonly counters: readonly Counter[]
}

type CountersBefore = Readonly<Record<string, Readonly<Record<string, number>>>>

const DAY_COUNTER = 'messages'
const MINUTE_COUNTER = 'messages/minute'

export interface StoredUsageOptions {
  /** The window of the rule `daily`. */
  readonly window: 'day' | 'rolling24h'
  /** The zone of users without their own. */
  readonly timeZone: string
}

/** Reads usage of any version. */
export function parseStoredUsage(
  { window, timeZone }: StoredUsageOptions,
  stored: unknown,
  { zone }: { readonly zone: ZoneState | null },
): Usage {
  if ((stored as Partial<StoredUsage>).v === 1) return decodeUsage(stored as StoredUsage)
  const before = stored as CountersBefore
  const days = Object.entries(before[DAY_COUNTER] ?? {})
  const minutes = Object.entries(before[MINUTE_COUNTER] ?? {})
  const hasMinutes = minutes.length > 0 && (window === 'rolling24h' || days.length === 0)
  if (hasMinutes) return minuteUsage(minutes)
  return days.length === 0 ? NO_USAGE : dayUsage(before, days, zone?.current ?? timeZone)
}

/** The JSON of usage, in the present format. */
export function encodeUsage({ v, seenAt, gaps, counters, holds, recorded, refusals }: Usage): string {
  let json = seenAt === undefined ? `{"v":${v}` : `{"v":${v},"seenAt":${seenAt}`
  if (gaps !== undefined) json += `,"gaps":${JSON.stringify(gaps)}`
  json += `,"counters":${encodeCounters(counters)}`
  if (holds !== undefined) json += `,"holds":${JSON.stringify(holds)}`
  if (recorded !== undefined) json += `,"recorded":${recorded}`
  if (refusals !== undefined) json += `,"refusals":${JSON.stringify(refusals)}`
  return `${json}}`
}

function decodeUsage({ counters, ...rest }: StoredUsage): Usage {
  return { ...rest, counters: packCounters(counters) }
}

type Entries = readonly (readonly [window: string, value: number])[]

function dayUsage({ inputTokens, outputTokens }: CountersBefore, days: Entries, zone: string): Usage {
  const tokensOf = (name: string): Partial<WindowUse> => ({
    ...(inputTokens?.[name] === undefined ? {} : { inputTokens: inputTokens[name] }),
    ...(outputTokens?.[name] === undefined ? {} : { outputTokens: outputTokens[name] }),
  })
  const windows: WindowUse[] = days
    .map(([name, used]) => ({ name, from: periodStart(zone, name), used, ...tokensOf(name) }))
    .sort((one, other) => one.from - other.from)
  const counter: Counter = { name: DAILY, of: 'turns day', windows }
  return { v: 1, seenAt: windows.at(-1)?.from ?? 0, counters: packCounters([counter]) }
}

function minuteUsage(minutes: Entries): Usage {
  const starts = minutes.map(([minute, used]) => [Number(minute) * 60, used] as const).sort((a, b) => a[0] - b[0])
  const counter: Counter = { name: DAILY, of: 'turns rolling24h', parts: starts.flat() as Amount[] }
  return { v: 1, seenAt: (starts.at(-1)?.[0] ?? 0) * 1_000, counters: packCounters([counter]) }
}
