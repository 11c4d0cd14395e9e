import { FUTURE_MS } from '../../core/wall-clock.ts'
import type { NewEvent } from '../../journal/event.ts'
import { formatInstant } from '../calendar.ts'
import { type DroppedUse, dropAfter, wasAdmittedUntil } from '../limits/clock.ts'
import type { ZoneState } from '../limits/periods.ts'
import type { LedgerRules } from '../rules.ts'
import type { LedgerDecision, LedgerView } from '../state.ts'

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
  readonly dropped: readonly DroppedUse[]
}

/** Undefined when nothing is wrongly ahead, which is nearly always. */
export function correctClock<View extends DatedView>(
  rules: LedgerRules,
  view: View,
): ClockCorrection<View> | undefined {
  if (!mayBeAhead(view)) return undefined
  const isWrong = createJudge(rules, view)
  const { state, stamps, measurements, now } = view
  const isUsageAhead = isWrong(view.usage.seenAt ?? null)
  const { usage, dropped } = isUsageAhead ? dropAfter(view.usage, now + FUTURE_MS) : { usage: view.usage, dropped: [] }
  const seenAt = isWrong(stamps.seenAt) ? now : stamps.seenAt
  const observedAt = isWrong(measurements.observedAt) ? null : measurements.observedAt
  const zone = isWrong(zoneStart(state.zone)) ? startedZone(state.zone as ZoneState) : state.zone
  if (usage === view.usage && seenAt === stamps.seenAt && observedAt === measurements.observedAt && zone === state.zone)
    return undefined
  const corrected: View = {
    ...view,
    usage,
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

/** What a decision about use changes. */
type UseDecision = Pick<LedgerDecision<unknown>, 'events' | 'resetsSeen' | 'measurements' | 'usage'>

/** Decides on the corrected view. The correction is part of the decision when that changes something. */
export function decideCorrected<Decided extends Pick<UseDecision, 'events' | 'usage'>>(
  rules: LedgerRules,
  view: LedgerView,
  decide: (view: LedgerView) => Decided,
): { readonly decided: Decided; readonly changes: UseDecision } {
  const correction = correctClock(rules, view)
  const decided = decide(correction?.view ?? view)
  const { usage, events = [] } = decided
  if (correction === undefined || usage === undefined) return { decided, changes: { usage, events } }
  const corrected = decideCorrection(view, correction)
  return { decided, changes: { ...corrected, usage, events: [...(corrected.events ?? []), ...events] } }
}

/** The part of a decision that makes a correction. */
export function decideCorrection(before: LedgerView, correction: ClockCorrection<LedgerView>): UseDecision {
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
    windows: dropped.map(({ limit, window, used }) => ({ limit, window, value: used })),
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

/** A cheap test that is true for everything ahead, and for a few things that are not. */
function mayBeAhead({ state, usage, now, stamps, measurements }: DatedView): boolean {
  const limit = now + FUTURE_MS
  if ((stamps.seenAt ?? 0) > limit || (measurements.observedAt ?? 0) > limit) return true
  if (state.zone !== null && (zoneStart(state.zone) ?? 0) > limit) return true
  return (usage.seenAt ?? 0) > limit
}

type Judge = (epochMs: number | null) => boolean

/** Decides whether an instant was written by a wrong clock. */
function createJudge(rules: LedgerRules, { usage, now, stamps, measurements }: DatedView): Judge {
  const wasSeenBefore =
    [stamps.createdAt, stamps.seenAt, measurements.observedAt].some((at) => at !== null && at > 0 && at <= now) ||
    wasAdmittedUntil(usage, now)
  return (at) => at !== null && at > now + FUTURE_MS && (wasSeenBefore || rules.clock.wasWrongAt(at))
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
