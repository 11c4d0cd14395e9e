import type { Decision } from '../../journal/api.ts'
import type { Event, NewEvent } from '../../journal/event.ts'
import { type Detection, MAX_PEAKS } from '../detection.ts'
import { instant, type LedgerView, type Rules } from '../quota.ts'
import type { LedgerState, Measurements, Peak } from '../state.ts'
import { refuse } from '../validate-arguments.ts'

/** What an observation did. `stale`: it is older than one that was taken before, so only peaks could move. */
export type ObservationOutcome = 'applied' | 'unchanged' | 'stale' | 'replayed'

export interface Observed<Bond> {
  readonly bond: Bond
  readonly events: readonly Event[]
  readonly outcome: ObservationOutcome
}

/**
 * Takes an observation: what it says and what differs becomes an event, in a fixed order and under one timestamp;
 * what it does not say stays. Turn count and peaks are measured and leave no event.
 */
export function observe<Bond>(
  rules: Rules,
  command: { readonly detection: Detection; bond(view: LedgerView): Bond },
  view: LedgerView,
): Decision<LedgerState, Measurements, Observed<Bond>> {
  const { detection } = command
  const newest = view.measured.observedAt ?? 0
  const at = detection.at === null ? Math.max(view.now, newest) : Math.min(detection.at, view.now)
  const stale = detection.at !== null && view.measured.observedAt !== null && at < newest
  const events = stale ? [] : eventsOf(rules, detection, view.state)
  const peaks = raised(view.measured.peaks, detection.peaks, instant(Math.min(at, view.now)))
  const turnCount = stale ? view.measured.turnCount : (detection.turnCount ?? view.measured.turnCount)
  const moved = events.length > 0 || peaks !== view.measured.peaks || turnCount !== view.measured.turnCount
  const outcome = stale ? 'stale' : moved ? 'applied' : 'unchanged'
  return {
    events,
    seen: !stale,
    ...(stale && peaks === view.measured.peaks
      ? {}
      : { measured: { turnCount, peaks, observedAt: stale ? view.measured.observedAt : at } }),
    result: ({ view: after, events: made }) => ({ bond: command.bond(after), events: made, outcome }),
  }
}

function eventsOf({ defaults }: Rules, detection: Detection, state: LedgerState): NewEvent[] {
  const events: NewEvent[] = []
  const evidence = {
    ...(detection.confidence === undefined ? {} : { confidence: detection.confidence }),
    ...(detection.primarySignal === undefined ? {} : { primary_signal: detection.primarySignal }),
    ...(detection.source === undefined ? {} : { source: detection.source }),
    ...(detection.evidence === undefined ? {} : { evidence: detection.evidence }),
  }
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
  for (const attribute of ['archetype', 'eggStatus'] as const) {
    const from = state[attribute] ?? defaults[attribute]
    const to = detection[attribute]
    if (to === undefined || to === from) continue
    events.push({
      type: 'attribute_change',
      detail: `${attribute === 'archetype' ? 'archetype' : 'egg status'}: ${from} -> ${to}`,
      data: { attribute, from, to, ...evidence },
    })
  }
  return events
}

/** Peaks only rise, and are kept as they were given. Returns the same object when none rose. */
function raised(
  peaks: Readonly<Record<string, Peak>>,
  given: Readonly<Record<string, number>>,
  at: string,
): Readonly<Record<string, Peak>> {
  const higher = Object.entries(given).filter(([node, value]) => {
    const known = Object.hasOwn(peaks, node) ? peaks[node] : undefined
    return known === undefined || value > known.value
  })
  if (higher.length === 0) return peaks
  const next = Object.fromEntries([
    ...Object.entries(peaks),
    ...higher.map(([node, value]): [string, Peak] => [node, { value, at }]),
  ])
  if (Object.keys(next).length > MAX_PEAKS)
    refuse(
      'detection_invalid',
      `A user has at most ${MAX_PEAKS} peak nodes.`,
      'Name nodes by kind, not by occurrence.',
      'peaks',
    )
  return next
}
