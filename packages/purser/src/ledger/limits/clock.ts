import { formatInstant } from '../calendar.ts'
import type { Amount } from './amount.ts'
import type { Counter, WindowUse } from './counter.ts'
import { listCounters, packCounters } from './counters.ts'
import { periodStart, type UserZone } from './periods.ts'
import { type Gap, recordingOf, type Usage } from './usage.ts'

/*
 * The instant that a decision is made for.
 *
 * It is the wall clock, but never earlier than the last admission: a clock that is set back opens no window again, and use
 * stays where it was counted until the clock has caught up.
 *
 * A clock that was far ahead for a moment would thus refuse a user for years. It leaves a trace: a gap of more than two
 * days between two admissions, and a wall clock that is now inside the gap. Then what was opened after the gap is
 * dropped, and the windows from before it run on. A wall clock before the gap is one that was set back.
 */

const STEP_MS = 2 * 86_400_000
const MAX_GAPS = 2

export interface Clock {
  /** The instant that a decision is made for, epoch ms. */
  readonly at: number
  /** The wall clock, epoch ms. */
  readonly now: number
  readonly zone: UserZone
  /** Earlier admissions to which the wall clock may return; the windows that ran then are still needed. Epoch ms. */
  readonly anchors: readonly number[]
}

const NO_GAPS: readonly Gap[] = []
const NO_ANCHORS: readonly number[] = []

export interface Observed {
  readonly clock: Clock
  /** The usage without the windows that were ahead. */
  readonly usage: Usage
  /** The names of the rules whose windows were dropped; absent when the clock was not ahead. */
  readonly dropped?: readonly string[]
}

/** Reads the clock of a decision about a user. */
export function observeClock(usage: Usage, now: number, zone: UserZone): Observed {
  const { seenAt = now, gaps = NO_GAPS } = usage
  const gap = now >= seenAt ? undefined : gaps.find(({ from, to }) => from <= now && to > now + STEP_MS)
  if (gap === undefined) return { usage, clock: createClock(usage, { at: Math.max(now, seenAt), now, zone }) }
  const rest = dropAhead(usage, { gap, now, zone })
  return { ...rest, clock: createClock(rest.usage, { at: now, now, zone }) }
}

function createClock(usage: Usage, { at, now, zone }: Omit<Clock, 'anchors'>): Clock {
  const { seenAt, gaps } = usage
  const anchors = gaps === undefined ? [] : gaps.map(({ from }) => from)
  if (seenAt !== undefined && seenAt !== at) anchors.push(seenAt)
  return { at, now, zone, anchors: anchors.length === 0 ? NO_ANCHORS : anchors }
}

/** The usage after an admission, with the gap before it if it was long. */
export function withSighting(usage: Usage, at: number): Omit<Usage, 'counters' | 'holds'> {
  const gaps = gapsAfter(usage, at)
  const { v, recorded, refusals } = usage
  const sighted = gaps.length === 0 ? { v, seenAt: at } : { v, seenAt: at, gaps }
  return recorded === undefined && refusals === undefined ? sighted : { ...sighted, ...recordingOf(usage) }
}

function gapsAfter({ seenAt, gaps = NO_GAPS }: Usage, at: number): readonly Gap[] {
  if (seenAt === undefined || at - seenAt <= STEP_MS) return gaps
  return [...gaps, { from: seenAt, to: at }].slice(-MAX_GAPS)
}

interface Return {
  readonly gap: Gap
  readonly now: number
  readonly zone: UserZone
}

/** Drops what was opened after a gap and begins more than two days ahead of the wall clock. */
function dropAhead(usage: Usage, returned: Return): { readonly usage: Usage; readonly dropped: readonly string[] } {
  const { gap } = returned
  const dropped: string[] = []
  const counters = listCounters(usage.counters).map((counter) => {
    const rest = dropWindows(counter, returned)
    if (rest !== counter) dropped.push(counter.name)
    return rest
  })
  const gaps = usage.gaps?.filter(({ to }) => to < gap.to) ?? []
  const holds = usage.holds?.filter(({ at }) => at < gap.to) ?? []
  return {
    usage: {
      v: usage.v,
      seenAt: gap.from,
      ...(gaps.length === 0 ? {} : { gaps }),
      counters: packCounters(counters),
      ...(holds.length === 0 ? {} : { holds }),
      ...recordingOf(usage),
    },
    dropped,
  }
}

/** What was counted in a window that was dropped. */
export interface DroppedUse {
  readonly limit: string
  /** When the window began, ISO 8601, or its name. */
  readonly window: string
  readonly used: Amount
}

/**
 * The usage without everything that begins after an instant, for a clock that is known to have been ahead. What was
 * counted in all is still counted.
 */
export function dropAfter(
  usage: Usage,
  instant: number,
): { readonly usage: Usage; readonly dropped: readonly DroppedUse[] } {
  const dropped: DroppedUse[] = []
  const counters = listCounters(usage.counters).map((counter): Counter => {
    const { name: limit, of, windows, parts, marks } = counter
    const isLater = (window: WindowUse): boolean => window.from > instant && window.name !== ''
    for (const { name, from, used } of windows?.filter(isLater) ?? [])
      dropped.push({ limit, window: name ?? formatInstant(from), used })
    const length = countPartsUntil(parts ?? [], instant / 1_000)
    for (let index = length; index < (parts?.length ?? 0); index += 2)
      dropped.push({ limit, window: formatInstant(Number(parts?.[index]) * 1_000), used: parts?.[index + 1] ?? 0 })
    return {
      name: limit,
      of,
      ...(windows === undefined ? {} : { windows: windows.filter((window) => !isLater(window)) }),
      ...(parts === undefined ? {} : { parts: parts.slice(0, length) }),
      ...(marks === undefined ? {} : { marks: marks.filter(({ at }) => at <= instant) }),
    }
  })
  const seenAt = lastSightUntil(usage, instant)
  const gaps = usage.gaps?.filter(({ to }) => to <= instant) ?? []
  const holds = usage.holds?.filter(({ at }) => at <= instant) ?? []
  const rest: Usage = {
    v: usage.v,
    ...(seenAt === undefined ? {} : { seenAt }),
    ...(gaps.length === 0 ? {} : { gaps }),
    counters: packCounters(counters),
    ...(holds.length === 0 ? {} : { holds }),
    ...recordingOf(usage),
  }
  return { usage: rest, dropped }
}

/** Whether the user is known to have been admitted at an instant or before. */
export function wasAdmittedUntil(usage: Usage, instant: number): boolean {
  return lastSightUntil(usage, instant) !== undefined
}

/** The last instant up to `instant` at which the user is known to have been admitted. */
function lastSightUntil({ seenAt, gaps = NO_GAPS, counters }: Usage, instant: number): number | undefined {
  if (seenAt === undefined || seenAt <= instant) return seenAt
  const gap = gaps.find(({ from, to }) => from <= instant && to > instant)
  if (gap !== undefined) return gap.from
  const starts = listCounters(counters).flatMap(({ windows = [], parts = [] }) => [
    ...windows.map(({ from }) => from),
    ...parts.filter((_, index) => index % 2 === 0).map((second) => Number(second) * 1_000),
  ])
  const known = starts.filter((start) => start <= instant)
  return known.length === 0 ? undefined : Math.max(...known)
}

function dropWindows(counter: Counter, { gap, now, zone }: Return): Counter {
  const { windows, parts, marks } = counter
  const isAhead = (from: number, name?: string): boolean =>
    from >= gap.to &&
    (name === undefined || (name !== '' && periodStart(zone.state?.current ?? zone.timeZone, name) > now + STEP_MS))
  const restWindows = windows?.filter(({ from, name }) => !isAhead(from, name))
  const restParts = parts?.slice(0, countPartsUntil(parts, now / 1_000))
  const restMarks = marks?.filter(({ at }) => at < gap.to)
  const isUnchanged = restWindows?.length === windows?.length && restParts?.length === parts?.length
  if (isUnchanged && restMarks?.length === marks?.length) return counter
  return {
    name: counter.name,
    of: counter.of,
    ...(restWindows === undefined ? {} : { windows: restWindows }),
    ...(restParts === undefined ? {} : { parts: restParts }),
    ...(restMarks === undefined || restMarks.length === 0 ? {} : { marks: restMarks }),
  }
}

/** The length of `parts` without those that start after an instant. The part of an admission after the gap does. */
function countPartsUntil(parts: readonly unknown[], second: number): number {
  let length = parts.length
  while (length > 0 && (parts[length - 2] as number) > second) length -= 2
  return length
}
