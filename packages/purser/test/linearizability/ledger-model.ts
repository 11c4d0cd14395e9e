import { isDeepStrictEqual } from 'node:util'

/*
 * The ledger of one user as a sequential object: what each call returns when the calls run one after the other. A history
 * of concurrent calls is correct if some order of them, in which no call precedes one that ended before it began, has
 * exactly these results.
 */

export type Operation =
  | { readonly call: 'admit' }
  | { readonly call: 'settle' | 'refund'; readonly ticket: string }
  | { readonly call: 'setLimit'; readonly cap: number }
  | { readonly call: 'observe'; readonly phase: string }

/** What a call has returned, without what the model does not have. */
export type Outcome =
  | { readonly allowed: true; readonly count: number; readonly cap: number }
  | { readonly allowed: false; readonly count: number; readonly cap: number }
  | { readonly closed: boolean }
  | { readonly cap: number; readonly count: number }
  | { readonly phase: string; readonly previousPhase: string; readonly changed: boolean }

export interface ModelState {
  readonly cap: number
  readonly count: number
  readonly phase: string
  readonly previousPhase: string
  /** The tickets that are settled or refunded, sorted. */
  readonly closed: readonly string[]
}

export const INITIAL: ModelState = { cap: 4, count: 0, phase: 'dormant', previousPhase: 'dormant', closed: [] }

export interface Step {
  readonly state: ModelState
  readonly outcome: Outcome
}

/** Runs one call on a state. */
export function step(state: ModelState, operation: Operation): Step {
  switch (operation.call) {
    case 'admit':
      return admit(state)
    case 'settle':
    case 'refund':
      return close(state, operation)
    case 'setLimit':
      return { state: { ...state, cap: operation.cap }, outcome: { cap: operation.cap, count: state.count } }
    case 'observe':
      return observe(state, operation.phase)
  }
}

function admit(state: ModelState): Step {
  const { cap, count } = state
  if (count >= cap) return { state, outcome: { allowed: false, count, cap } }
  return { state: { ...state, count: count + 1 }, outcome: { allowed: true, count: count + 1, cap } }
}

function close(state: ModelState, { call, ticket }: Extract<Operation, { readonly ticket: string }>): Step {
  if (state.closed.includes(ticket)) return { state, outcome: { closed: false } }
  const closed = [...state.closed, ticket].toSorted()
  const count = call === 'refund' ? state.count - 1 : state.count
  return { state: { ...state, closed, count }, outcome: { closed: true } }
}

function observe(state: ModelState, phase: string): Step {
  if (phase === state.phase) {
    const { previousPhase } = state
    return { state, outcome: { phase, previousPhase, changed: false } }
  }
  const previousPhase = state.phase
  return { state: { ...state, phase, previousPhase }, outcome: { phase, previousPhase, changed: true } }
}

export function isSame(expected: Outcome, actual: Outcome): boolean {
  return isDeepStrictEqual(expected, actual)
}
