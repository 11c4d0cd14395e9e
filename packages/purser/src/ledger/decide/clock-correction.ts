import { FUTURE_MS } from '../../core/wall-clock.ts'
import type { NewEvent } from '../../journal/event.ts'
import { dayOn, formatInstant } from '../calendar.ts'
import type { LedgerRules } from '../rules.ts'
import type { LedgerDecision, LedgerView, Usage, ZoneState } from '../state.ts'

/*
 * What a wall clock that ran ahead for a moment has left behind: windows, an observation, a time zone and a time of last
 * activity that are more than two days ahead of now. They would refuse the user, or reject detections and tickets, until
 * that time.
 *
 * Two kinds of evidence show that the earlier clock was wrong, and not the present one: the user was seen at or before
 * now, or this process saw the clock run ahead and come back. Without evidence nothing is dropped, because a clock that
 * was set back before everything that is known of the user would open windows again.
 */

/** The part of a view that dates come from. */
export type DatedView = Pick<LedgerView, 'state' | 'usage' | 'now' | 'stamps' | 'measurements'>

export interface ClockCorrection<View extends DatedView> {
  /** The view without what is ahead. */
  readonly view: View
  /** What is ahead. */
  readonly dropped: readonly CountedWindow[]
}

/** What was counted in one window. */
interface CountedWindow {
  readonly limit: string
  readonly window: string
  readonly value: number
}

/** Undefined when nothing is wrongly ahead, which is nearly always. */
export function correctClock<View extends DatedView>(
  rules: LedgerRules,
  view: View,
): ClockCorrection<View> | undefined {
  if (!mayBeAhead(view)) return undefined
  const isWrong = createJudge(rules, view)
  const { state, stamps, measurements, now } = view
  const { rest, dropped } = splitUsage(view.usage, (window) => isWrong(windowStart(rules, state.zone, window)))
  const seenAt = isWrong(stamps.seenAt) ? now : stamps.seenAt
  const observedAt = isWrong(measurements.observedAt) ? null : measurements.observedAt
  const zone = isWrong(zoneStart(state.zone)) ? startedZone(state.zone as ZoneState) : state.zone
  if (dropped.length === 0 && seenAt === stamps.seenAt && observedAt === measurements.observedAt && zone === state.zone)
    return undefined
  const corrected: View = {
    ...view,
    usage: rest,
    stamps: { ...stamps, seenAt },
    measurements: { ...measurements, observedAt },
    state: { ...state, zone },
  }
  return { view: corrected, dropped }
}

/** The view as decisions and reads should see it. */
export function withCorrectClock<View extends DatedView>(rules: LedgerRules, view: View): View {
  return correctClock(rules, view)?.view ?? view
}

/** The part of a decision that makes a correction. */
export function decideCorrection(
  before: LedgerView,
  correction: ClockCorrection<LedgerView>,
): Pick<LedgerDecision<unknown>, 'events' | 'resetsSeen' | 'measurements' | 'usage'> {
  const { view } = correction
  return {
    events: [clockEvent(before, correction)],
    resetsSeen: true,
    ...(view.measurements.observedAt === before.measurements.observedAt ? {} : { measurements: view.measurements }),
    usage: view.usage,
  }
}

/**
 * Whether a ticket was issued while the clock ran ahead. Its use can still be counted or returned, but it pays for no
 * turn any more.
 */
export function wasIssuedAhead(
  rules: LedgerRules,
  { issuedAt }: { readonly issuedAt: number },
  view: DatedView,
): boolean {
  return createJudge(rules, view)(issuedAt)
}

function clockEvent(before: DatedView, { view, dropped }: ClockCorrection<DatedView>): NewEvent {
  const data = {
    windows: dropped,
    seenAt: formatInstant(before.stamps.seenAt),
    ...(view.measurements.observedAt === before.measurements.observedAt
      ? {}
      : { observedAt: formatInstant(before.measurements.observedAt) }),
    ...(view.state.zone === before.state.zone ? {} : { zone: view.state.zone }),
  }
  return {
    type: 'clock_correction',
    detail: `the clock had run ahead: ${dropped.length} windows dropped`,
    data,
    actor: 'purser',
  }
}

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const MINUTE_WINDOW = /^\d+$/

/** A cheap test that is true for everything ahead, and for a few things that are not. */
function mayBeAhead({ state, usage, now, stamps, measurements }: DatedView): boolean {
  const limit = now + FUTURE_MS
  if ((stamps.seenAt ?? 0) > limit || (measurements.observedAt ?? 0) > limit) return true
  if (state.zone !== null && (zoneStart(state.zone) ?? 0) > limit) return true
  return hasWindowAfter(usage, limit)
}

function hasWindowAfter(usage: Usage, limit: number): boolean {
  const date = dateBefore(limit)
  for (const counter in usage)
    for (const window in usage[counter])
      if (window.length === date.length ? window > date : Number(window) * MINUTE_MS > limit) return true
  return false
}

let lastDate = { day: 0, text: '1970-01-01' }

/** A date that has begun by the instant in every zone; memoized, since every admission needs the same one. */
function dateBefore(epochMs: number): string {
  const day = Math.floor((epochMs - DAY_MS / 2) / DAY_MS)
  if (lastDate.day !== day) lastDate = { day, text: new Date(day * DAY_MS).toISOString().slice(0, 10) }
  return lastDate.text
}

type Judge = (epochMs: number | null) => boolean

/** Decides whether an instant was written by a wrong clock. */
function createJudge(rules: LedgerRules, { state, usage, now, stamps, measurements }: DatedView): Judge {
  const wasSeenBefore =
    [stamps.createdAt, stamps.seenAt, measurements.observedAt].some((at) => at !== null && at > 0 && at <= now) ||
    splitUsage(usage, (window) => windowStart(rules, state.zone, window) <= now).dropped.length > 0
  return (at) => at !== null && at > now + FUTURE_MS && (wasSeenBefore || rules.clock.wasWrongAt(at))
}

/** Divides usage into windows that are dropped and the rest. */
export function splitUsage(
  usage: Usage,
  isDropped: (window: string) => boolean,
): { readonly rest: Usage; readonly dropped: readonly CountedWindow[] } {
  const dropped: CountedWindow[] = []
  const rest: Record<string, Record<string, number>> = {}
  for (const [limit, windows] of Object.entries(usage)) {
    const remaining: Record<string, number> = {}
    for (const [window, value] of Object.entries(windows)) {
      if (isDropped(window)) dropped.push({ limit, window, value })
      else remaining[window] = value
    }
    if (Object.keys(remaining).length > 0) rest[limit] = remaining
  }
  return { rest, dropped }
}

/** When a window begins, epoch ms. */
export function windowStart(rules: LedgerRules, zone: ZoneState | null, window: string): number {
  if (MINUTE_WINDOW.test(window)) return Number(window) * MINUTE_MS
  return dayOn(zone?.current ?? rules.timeZone, window).start
}

/** When a changed zone begins to count, epoch ms; its first date has begun by then. Null when it counts already. */
function zoneStart(zone: ZoneState | null): number | null {
  if (zone === null) return null
  if (zone.effectiveAt !== null) return Date.parse(zone.effectiveAt)
  return zone.firstDate === null ? null : Date.parse(zone.firstDate)
}

/** The zone, counting at once. */
export function startedZone({ current }: ZoneState): ZoneState {
  return { current, previous: null, effectiveAt: null, firstDate: null }
}
