import type { Event } from '../journal/event.ts'
import { type Block, INITIAL, type LedgerState, type Tombstone, type ZoneState } from './state.ts'

/** Event types of the ledger's own; all others leave the state as it is. */
export const OWN_TYPES = ['phase_transition', 'risk_change', 'attribute_change', 'admin_action', 'retention'] as const
export type OwnType = (typeof OWN_TYPES)[number]

/** The state after an event. Pure and total: an event type it does not know changes nothing. */
export function evolve(state: LedgerState, event: Omit<Event, 'mac' | 'user'>): LedgerState {
  const { data } = event
  switch (event.type) {
    case 'phase_transition':
      return { ...state, previousPhase: text(data.from), phase: text(data.to), phaseEnteredAt: event.at }
    case 'risk_change':
      return { ...state, riskLevel: text(data.to) }
    case 'attribute_change':
      return data.attribute === 'archetype'
        ? { ...state, archetype: text(data.to) }
        : { ...state, eggStatus: text(data.to) }
    case 'admin_action':
      return afterAction(state, event)
    case 'retention':
      return { ...state, tombstone: data.tombstone as Tombstone }
    default:
      return state
  }
}

/** What events fold to, from nothing or from what came before them. */
export function rebuild(events: Iterable<Omit<Event, 'mac' | 'user'>>, from: LedgerState = INITIAL): LedgerState {
  let state = from
  for (const event of events) state = evolve(state, event)
  return state
}

function afterAction(state: LedgerState, { at, data }: Omit<Event, 'mac' | 'user'>): LedgerState {
  switch (data.action) {
    case 'cap':
      return { ...state, cap: data.after as number | null }
    case 'time_zone':
      return { ...state, zone: data.zone as ZoneState }
    case 'block':
    case 'unblock':
      return { ...state, blocked: data.after as Block | null }
    case 'note':
      return { ...state, notesCount: state.notesCount + 1 }
    case 'correct':
      return corrected(state, at, data)
    default:
      return state
  }
}

function corrected(state: LedgerState, at: string, data: Readonly<Record<string, unknown>>): LedgerState {
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

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
