import { throwInvalid } from '../../core/validate.ts'
import type { NewEvent } from '../../journal/event.ts'
import { formatInstant, nextDate } from '../calendar.ts'
import { DAILY_LIMIT, dailyLimitOf, type LimitState } from '../limit-state.ts'
import { currentUsage } from '../quota.ts'
import type { LedgerRules } from '../rules.ts'
import { activeBlock, type Block, type LedgerDecision, type LedgerView, type Usage, type ZoneState } from '../state.ts'
import { counterName, runningDay, windowUsage } from '../window.ts'
import { splitUsage, startedZone, windowStart, withCorrectClock } from './clock-correction.ts'

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
  { state }: LedgerView,
): readonly NewEvent[] {
  if (cap === state.cap) return []
  const [old, next] = [state.cap ?? rules.dailyCap, cap ?? rules.dailyCap]
  const data = { before: state.cap, after: cap, old_cap: old, new_cap: next }
  return [adminAction('cap', `rate limit: ${old} -> ${next} msgs/day${cap === null ? ' (default)' : ''}`, data, by)]
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
  const after = zoneStateAfter(rules, zone, withCorrectClock(rules, view))
  return [adminAction('time_zone', detail, { before, after: zone, zone: after }, by)]
}

function zoneStateAfter(rules: LedgerRules, zone: string | null, { state, usage, now }: LedgerView): ZoneState {
  const messages = counterName(rules, 'messages')
  const day = runningDay(rules.timeZone, { zone: state.zone, usage, now })
  const runs = Object.keys(usage[messages] ?? {}).some((window) => rules.window !== 'day' || window === day.date)
  if (!runs) {
    const lastCounted = lastCountedDate(usage)
    return {
      current: zone,
      previous: null,
      effectiveAt: null,
      firstDate: lastCounted === '' ? null : nextDate(lastCounted),
    }
  }
  const isPending = state.zone?.effectiveAt != null && now < Date.parse(state.zone.effectiveAt)
  return {
    current: zone,
    previous: (isPending ? state.zone?.previous : state.zone?.current) ?? null,
    effectiveAt: formatInstant(day.end),
    firstDate: nextDate(day.date),
  }
}

/** The newest date in which messages were counted; '' when there is none. */
function lastCountedDate(usage: Usage): string {
  return Object.keys(usage.messages ?? {}).reduce((latest, date) => (date > latest ? date : latest), '')
}

/**
 * Sets the use of the daily cap to 0. What was counted in the running window, and in windows that a wrong clock has opened
 * in the future, is dropped; a zone that such a clock has delayed counts at once.
 */
export function resetDailyLimit(rules: LedgerRules, by: Audit, view: LedgerView): LedgerDecision<LimitState> {
  const { state, now } = view
  const { rest: past, dropped } = splitUsage(view.usage, (window) => windowStart(rules, state.zone, window) > now)
  const zone = state.zone !== null && dropped.length > 0 ? startedZone(state.zone) : state.zone
  const { window } = windowUsage(rules, { zone, usage: past, now })
  const before = currentUsage(rules, view).count
  const result: LedgerDecision<LimitState>['result'] = (after) => dailyLimitOf(rules, after.view)
  if (before === 0 && dropped.length === 0) return { result }
  const messages = counterName(rules, 'messages')
  // Earlier days do not count any more, but turns that began in them are still settled there.
  const counted = rules.window === 'day' ? past[messages] : {}
  const data = { limit: DAILY_LIMIT, before, after: 0, ...(zone === state.zone ? {} : { zone }) }
  return {
    events: [adminAction('limit_reset', `limit ${DAILY_LIMIT} reset: ${before} -> 0 used`, data, by)],
    ...(dropped.length === 0 ? {} : { resetsSeen: true }),
    usage: { ...past, [messages]: { ...counted, [window]: 0 } },
    result,
  }
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
