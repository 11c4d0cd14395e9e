import { FUTURE_MS } from '../../core/wall-clock.ts'
import type { NewEvent } from '../../journal/event.ts'
import { type By, changeLimit, changeOwnLimit, changePlan, resetLimitUsage } from '../limits/changes.ts'
import { dropAfter, observeClock } from '../limits/clock.ts'
import type { LimitState } from '../limits/limit-state.ts'
import { limitContextOf, limitsAt, limitsOf } from '../quota.ts'
import type { LedgerRules } from '../rules.ts'
import type { LedgerDecision, LedgerView } from '../state.ts'
import { startedZone, withCorrectClock } from './clock-correction.ts'

/** Changes of the limits and the plan of one user. Each is one event; a change that changes nothing has none. */

/** Sets what an operator allows the user under a limit. Throws `limit_unknown` and `limit_invalid`. */
export function setLimit(
  rules: LedgerRules,
  command: { readonly name: string; readonly max: unknown; readonly until: number | null; readonly by: By },
  view: LedgerView,
): LedgerDecision<LimitState> {
  return decideChange(rules, { name: command.name, events: changeLimit(changeContextOf(rules, view), command) })
}

/** Sets the person's own limit. Throws `limit_unknown` and `limit_invalid`. */
export function setOwnLimit(
  rules: LedgerRules,
  command: { readonly name: string; readonly max: unknown; readonly by: By },
  view: LedgerView,
): LedgerDecision<LimitState> {
  return decideChange(rules, { name: command.name, events: changeOwnLimit(changeContextOf(rules, view), command) })
}

/** Assigns a plan. Throws `plan_unknown`. */
export function setPlan(
  rules: LedgerRules,
  command: { readonly plan: string | null; readonly by: By },
  { state }: LedgerView,
): readonly NewEvent[] {
  return changePlan({ policy: rules.policy, limits: state.limits }, command)
}

/**
 * Empties the running window of a limit. If the user was last admitted by a clock that is more than two days ahead of
 * now, all windows that begin after now are dropped as well, and a zone that such a clock has delayed counts at once.
 */
export function resetLimit(
  rules: LedgerRules,
  { name, by }: { readonly name: string; readonly by: By },
  view: LedgerView,
): LedgerDecision<LimitState> {
  const isAhead = (view.usage.seenAt ?? 0) > view.now + FUTURE_MS
  const current = isAhead ? withoutFuture(view) : withCorrectClock(rules, view)
  const { zone } = current.state
  const command = { name, by, isAhead, ...(zone === null || zone === view.state.zone ? {} : { zone }) }
  const reset = resetLimitUsage(limitContextOf(rules, current), command, current.usage)
  const result: LedgerDecision<LimitState>['result'] = ({ view: after }) => stateOf(rules, name, after)
  return { ...reset, ...(isAhead ? { resetsSeen: true } : {}), result }
}

function withoutFuture(view: LedgerView): LedgerView {
  const { state, usage, now } = view
  const zone = state.zone === null ? null : startedZone(state.zone)
  return { ...view, state: { ...state, zone }, usage: dropAfter(usage, now).usage }
}

function decideChange(
  rules: LedgerRules,
  { name, events }: { readonly name: string; readonly events: readonly NewEvent[] },
): LedgerDecision<LimitState> {
  return { events, result: ({ view }) => stateOf(rules, name, view) }
}

function changeContextOf(rules: LedgerRules, view: LedgerView): Parameters<typeof changeLimit>[0] {
  const { state, usage, now } = withCorrectClock(rules, view)
  const zone = { state: state.zone, timeZone: rules.timeZone }
  return { policy: rules.policy, limits: limitsOf(state), zone, at: observeClock(usage, now, zone).clock.at }
}

function stateOf(rules: LedgerRules, name: string, view: LedgerView): LimitState {
  return limitsAt(rules, view).find((limit) => limit.name === name) as LimitState
}
