import { throwInvalid } from '../../core/validate.ts'
import type { NewEvent } from '../../journal/event.ts'
import { formatInstant } from '../calendar.ts'
import { withoutOverride } from '../limits/changes.ts'
import { changeZone } from '../limits/periods.ts'
import { DAILY } from '../limits/rule.ts'
import { dailyUseOf } from '../quota.ts'
import type { LedgerRules } from '../rules.ts'
import { activeBlock, type Block, type LedgerState, type LedgerView } from '../state.ts'
import { withCorrectClock } from './clock-correction.ts'

/*
 * Actions of operators. Every change is one `admin_action` event with its actor, its reason and the values before and
 * after, in the commit that makes the change. An action that changes nothing produces no event.
 */

export interface Audit {
  readonly actor: string
  readonly reason?: string | undefined
}

/** Sets, lifts (0) or resets (null) the user's own cap. */
export function changeCap(
  rules: LedgerRules,
  { cap, by }: { readonly cap: number | null; readonly by: Audit },
  view: LedgerView,
): readonly NewEvent[] {
  const { state } = view
  const hasOverride = state.limits.overrides.some(({ name }) => name === DAILY)
  if (cap === state.cap && !hasOverride) return []
  const reset: LedgerState = { ...state, cap: null, limits: withoutOverride(state.limits, DAILY) }
  const [old, next] = [ceilingOf(rules, view), cap ?? ceilingOf(rules, { ...view, state: reset })]
  const data = { before: state.cap, after: cap, old_cap: old, new_cap: next }
  return [adminAction('cap', `rate limit: ${old} -> ${next} msgs/day${cap === null ? ' (default)' : ''}`, data, by)]
}

/** What an operator allows under `daily`; 0 is unlimited. */
function ceilingOf(rules: LedgerRules, view: LedgerView): number {
  return Number(dailyUseOf(rules, view).rule.ceiling ?? 0)
}

export function block(
  { until, by }: { readonly until: number | null; readonly by: Audit & { readonly reason: string } },
  { state, now }: LedgerView,
): readonly NewEvent[] {
  if (until !== null && until <= now)
    throwInvalid("'until' must be in the future.", { name: 'until', hint: 'Omit it for a block without an end.' })
  const before = activeBlock(state, now)
  const after: Block = { at: formatInstant(now), actor: by.actor, reason: by.reason, until: formatInstant(until) }
  if (before !== null && before.actor === after.actor && before.reason === after.reason && before.until === after.until)
    return []
  return [adminAction('block', `blocked${until === null ? '' : ` until ${after.until}`}`, { before, after }, by)]
}

export function unblock(by: Audit, { state, now }: LedgerView): readonly NewEvent[] {
  const before = activeBlock(state, now)
  return before === null ? [] : [adminAction('unblock', 'unblocked', { before, after: null }, by)]
}

/** Overrides a detected phase or risk level. */
export function correct(
  { defaults }: LedgerRules,
  command: { readonly phase?: string; readonly riskLevel?: string; readonly by: Audit },
  { state }: LedgerView,
): readonly NewEvent[] {
  const before: Record<string, string> = {}
  const after: Record<string, string> = {}
  for (const field of ['phase', 'riskLevel'] as const) {
    const present = state[field] ?? defaults[field]
    const corrected = command[field]
    if (corrected === undefined || corrected === present) continue
    before[field] = present
    after[field] = corrected
  }
  const changes = Object.keys(after).map(
    (field) => `${field === 'phase' ? 'phase' : 'risk'}: ${before[field]} -> ${after[field]}`,
  )
  return changes.length === 0
    ? []
    : [adminAction('correct', `corrected ${changes.join(', ')}`, { before, after }, command.by)]
}

/** Sets the user's zone. It counts from the end of the running window, or at once when nothing was counted in it. */
export function changeTimeZone(
  rules: LedgerRules,
  { zone, by }: { readonly zone: string | null; readonly by: Audit },
  view: LedgerView,
): readonly NewEvent[] {
  const before = view.state.zone?.current ?? null
  if (zone === before) return []
  const detail = `time zone: ${before ?? 'default'} -> ${zone ?? 'default'}`
  const { state, usage } = withCorrectClock(rules, view)
  const after = changeZone({ state: state.zone, timeZone: rules.timeZone }, zone, usage.seenAt)
  return [adminAction('time_zone', detail, { before, after: zone, zone: after }, by)]
}

/** The text of a note is a record of its own. The event contains the note's id, its length and a keyed digest. */
export function addNote(
  note: { readonly id: string; readonly length: number; readonly digest: string },
  by: Audit,
): readonly NewEvent[] {
  return [adminAction('note', 'note added', { before: null, after: null, ...note }, by)]
}

function adminAction(
  name: string,
  detail: string,
  data: Readonly<Record<string, unknown>>,
  { actor, reason }: Audit,
): NewEvent {
  return { type: 'admin_action', detail, data: { action: name, ...data }, actor, reason }
}
