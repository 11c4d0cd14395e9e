import { throwInvalid } from '../../core/validate.ts'
import type { Event, NewEvent } from '../../journal/event.ts'
import { type Bond, bondOf } from '../bond.ts'
import { formatInstant } from '../calendar.ts'
import { type Detection, MAX_PEAKS } from '../detection.ts'
import type { LedgerRules } from '../rules.ts'
import type { LedgerDecision, LedgerState, LedgerView, Peak } from '../state.ts'
import { correctClock, decideCorrection } from './clock-correction.ts'

export interface ObserveResult {
  readonly bond: Bond
  /** The events of the observation, oldest first. */
  readonly events: readonly Event[]
  /**
   * `stale`: the observation is older than the last applied one, so only peaks could change. `replayed`: the result of
   * an earlier call with the same idempotency key.
   */
  readonly outcome: 'applied' | 'unchanged' | 'stale' | 'replayed'
}

/**
 * Applies an observation. Each field that differs becomes an event, in a fixed order and with one timestamp; absent
 * fields stay unchanged. Turn count and peaks are measurements and produce no event.
 */
export function observe(
  rules: LedgerRules,
  command: { readonly user: string; readonly detection: Detection },
  view: LedgerView,
): LedgerDecision<ObserveResult> {
  const correction = correctClock(rules, view)
  if (correction === undefined) return observeAt(rules, command, view)
  const corrected = decideCorrection(view, correction)
  const { events = [], result, ...observed } = observeAt(rules, command, correction.view)
  return {
    ...corrected,
    ...observed,
    events: [...(corrected.events ?? []), ...events],
    result: ({ view: after, events: written }) =>
      result({ view: after, events: written.slice(corrected.events?.length ?? 0) }),
  }
}

function observeAt(
  rules: LedgerRules,
  { user, detection }: { readonly user: string; readonly detection: Detection },
  view: LedgerView,
): LedgerDecision<ObserveResult> {
  const { measurements } = view
  const newest = measurements.observedAt ?? 0
  const at = detection.at === null ? Math.max(view.now, newest) : Math.min(detection.at, view.now)
  const isStale = detection.at !== null && measurements.observedAt !== null && at < newest
  const events = isStale ? [] : detectChanges(rules, detection, view.state)
  const peaks = raisePeaks(measurements.peaks, detection.peaks, formatInstant(Math.min(at, view.now)))
  const turnCount = isStale ? measurements.turnCount : (detection.turnCount ?? measurements.turnCount)
  const isChanged = events.length > 0 || peaks !== measurements.peaks || turnCount !== measurements.turnCount
  const outcome = isStale ? 'stale' : isChanged ? 'applied' : 'unchanged'
  return {
    events,
    seen: !isStale,
    ...(isStale && peaks === measurements.peaks
      ? {}
      : { measurements: { turnCount, peaks, observedAt: isStale ? measurements.observedAt : at } }),
    result: ({ view: after, events: written }) => ({ bond: bondOf(rules, user, after), events: written, outcome }),
  }
}

const ATTRIBUTES = ['archetype', 'eggStatus'] as const
const ATTRIBUTE_NAMES = { archetype: 'archetype', eggStatus: 'egg status' } as const

function detectChanges({ defaults }: LedgerRules, detection: Detection, state: LedgerState): NewEvent[] {
  const events: NewEvent[] = []
  const evidence = evidenceOf(detection)
  const phase = state.phase ?? defaults.phase
  if (detection.phase !== undefined && detection.phase !== phase) {
    const { phase: to } = detection
    events.push({ type: 'phase_transition', detail: `${phase} -> ${to}`, data: { from: phase, to, ...evidence } })
  }
  const risk = state.riskLevel ?? defaults.riskLevel
  if (detection.riskLevel !== undefined && detection.riskLevel !== risk) {
    const { riskLevel: to } = detection
    events.push({ type: 'risk_change', detail: `risk: ${risk} -> ${to}`, data: { from: risk, to, ...evidence } })
  }
  for (const attribute of ATTRIBUTES) {
    const from = state[attribute] ?? defaults[attribute]
    const to = detection[attribute]
    if (to === undefined || to === from) continue
    events.push({
      type: 'attribute_change',
      detail: `${ATTRIBUTE_NAMES[attribute]}: ${from} -> ${to}`,
      data: { attribute, from, to, ...evidence },
    })
  }
  return events
}

function evidenceOf({ confidence, primarySignal, source, evidence }: Detection): Record<string, unknown> {
  return {
    ...(confidence === undefined ? {} : { confidence }),
    ...(primarySignal === undefined ? {} : { primary_signal: primarySignal }),
    ...(source === undefined ? {} : { source }),
    ...(evidence === undefined ? {} : { evidence }),
  }
}

/** Peaks only rise. Returns the same object when none did. */
function raisePeaks(
  peaks: Readonly<Record<string, Peak>>,
  observed: Readonly<Record<string, number>>,
  at: string,
): Readonly<Record<string, Peak>> {
  const higher = Object.entries(observed).filter(([node, value]) => {
    const known = Object.hasOwn(peaks, node) ? peaks[node] : undefined
    return known === undefined || value > known.value
  })
  if (higher.length === 0) return peaks
  const next = Object.fromEntries([
    ...Object.entries(peaks),
    ...higher.map(([node, value]): [string, Peak] => [node, { value, at }]),
  ])
  if (Object.keys(next).length > MAX_PEAKS)
    throwInvalid(`A user has at most ${MAX_PEAKS} peak nodes.`, {
      name: 'peaks',
      code: 'detection_invalid',
      hint: 'Name nodes by kind, not by occurrence.',
    })
  return next
}
