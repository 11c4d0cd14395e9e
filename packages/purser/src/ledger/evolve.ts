import type { EventBody } from '../journal/event.ts'
import { evolveLimits, withoutOverride } from './limits/changes.ts'
import type { ZoneState } from './limits/periods.ts'
import { DAILY } from './limits/rule.ts'
import { type Block, INITIAL_STATE, type LedgerState, type Tombstone } from './state.ts'

/** The state after an event. Pure and total: an unknown event type leaves the state unchanged. */
export function evolve(state: LedgerState, event: EventBody): LedgerState {
  const { data } = event
  switch (event.type) {
    case 'phase_transition':
      return { ...state, previousPhase: textOf(data.from), phase: textOf(data.to), phaseEnteredAt: event.at }
    case 'risk_change':
      return { ...state, riskLevel: textOf(data.to) }
    case 'attribute_change':
      return evolveAttribute(state, data)
    case 'admin_action':
      return evolveAction(state, event)
    case 'clock_correction':
      return data.zone === undefined ? state : { ...state, zone: data.zone as ZoneState }
    case 'plan_change':
      return { ...state, limits: evolveLimits(state.limits, event) }
    case 'limit_change':
      return {
        ...state,
        zone: data.zone === undefined ? state.zone : (data.zone as ZoneState),
        cap: data.limit === DAILY && data.override !== undefined ? null : state.cap,
        limits: evolveLimits(state.limits, event),
      }
    case 'retention':
      return { ...state, tombstone: data.tombstone as Tombstone }
    default:
      return state
  }
}

/** Folds events, from the initial state or from the state before the first of them. */
export function foldEvents(events: Iterable<EventBody>, from: LedgerState = INITIAL_STATE): LedgerState {
  // The base of a tombstone may have been stored before a field existed.
  let state: LedgerState = { ...INITIAL_STATE, ...from }
  for (const event of events) state = evolve(state, event)
  return state
}

function evolveAttribute(state: LedgerState, { attribute, to }: EventBody['data']): LedgerState {
  return attribute === 'archetype' || attribute === 'eggStatus' ? { ...state, [attribute]: textOf(to) } : state
}

function evolveAction(state: LedgerState, { at, data }: EventBody): LedgerState {
  switch (data.action) {
    case 'cap':
      return { ...state, cap: data.after as number | null, limits: withoutOverride(state.limits, DAILY) }
    case 'time_zone':
      return { ...state, zone: data.zone as ZoneState }
    case 'block':
    case 'unblock':
      return { ...state, blocked: data.after as Block | null }
    case 'note':
      return { ...state, notesCount: state.notesCount + 1 }
    case 'correct':
      return evolveCorrection(state, at, data)
    default:
      return state
  }
}

function evolveCorrection(state: LedgerState, at: string, data: EventBody['data']): LedgerState {
  const before = (data.before ?? {}) as { phase?: string; riskLevel?: string }
  const after = (data.after ?? {}) as { phase?: string; riskLevel?: string }
  return {
    ...state,
    ...(after.phase === undefined
      ? {}
      : { previousPhase: before.phase ?? null, phase: after.phase, phaseEnteredAt: at }),
    ...(after.riskLevel === undefined ? {} : { riskLevel: after.riskLevel }),
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
