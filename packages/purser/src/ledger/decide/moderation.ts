import type { NewEvent } from '../../journal/event.ts'
import { nextDate } from '../calendar.ts'
import { blockAt, instant, type LedgerView, type Rules } from '../quota.ts'
import type { Block, ZoneState } from '../state.ts'
import { refuse } from '../validate-arguments.ts'
import { limitName, runningDay } from '../window.ts'

/*
 * What people do to a user: every change is one `admin_action` event with its actor, its reason and what was before
 * and after, in the commit that makes the change. What changes nothing leaves no event.
 */

export interface Audit {
  readonly actor: string
  readonly reason?: string | undefined
}

type Change = readonly NewEvent[]

/** Sets, lifts (0) or resets (null) the user's own cap. */
export function changeCap(rules: Rules, { cap, by }: { cap: number | null; by: Audit }, { state }: LedgerView): Change {
  if (cap === state.cap) return []
  const [old, next] = [state.cap ?? rules.dailyCap, cap ?? rules.dailyCap]
  const data = { before: state.cap, after: cap, old_cap: old, new_cap: next }
  return [action('cap', `rate limit: ${old} -> ${next} msgs/day${cap === null ? ' (default)' : ''}`, data, by)]
}

export function block(
  { until, by }: { until: number | null; by: Audit & { readonly reason: string } },
  { state, now }: LedgerView,
): Change {
  if (until !== null && until <= now)
    refuse('argument_invalid', 'until must be in the future.', 'Leave it out for a block without an end.', 'until')
  const before = blockAt(state, now)
  const after: Block = { at: instant(now), actor: by.actor, reason: by.reason, until: instant(until) }
  if (before !== null && before.actor === after.actor && before.reason === after.reason && before.until === after.until)
    return []
  return [action('block', `blocked${until === null ? '' : ` until ${after.until}`}`, { before, after }, by)]
}

export function unblock(by: Audit, { state, now }: LedgerView): Change {
  const before = blockAt(state, now)
  return before === null ? [] : [action('unblock', 'unblocked', { before, after: null }, by)]
}

/** A person sets right what a detector said. */
export function correct(
  { defaults }: Rules,
  command: { readonly phase?: string; readonly riskLevel?: string; readonly by: Audit },
  { state }: LedgerView,
): Change {
  const before: Record<string, string> = {}
  const after: Record<string, string> = {}
  for (const field of ['phase', 'riskLevel'] as const) {
    const present = state[field] ?? defaults[field]
    const wanted = command[field]
    if (wanted === undefined || wanted === present) continue
    before[field] = present
    after[field] = wanted
  }
  const changes = Object.keys(after).map(
    (field) => `${field === 'phase' ? 'phase' : 'risk'}: ${before[field]} -> ${after[field]}`,
  )
  return changes.length === 0
    ? []
    : [action('correct', `corrected ${changes.join(', ')}`, { before, after }, command.by)]
}

/**
 * Sets the user's zone. It begins to count when the running window ends. A window runs once something was counted in
 * it; before that the zone counts at once.
 */
export function changeZone(rules: Rules, { zone, by }: { zone: string | null; by: Audit }, view: LedgerView): Change {
  const { state, counters, now } = view
  const before = state.zone?.current ?? null
  if (zone === before) return []
  const messages = limitName(rules, 'messages')
  const day = runningDay(rules.timeZone, { zone: state.zone, counters, now })
  const runs = counters.some(
    ({ limit, window }) => limit === messages && (rules.window !== 'day' || window === day.date),
  )
  const lastCounted = counters.reduce(
    (latest, { limit, window }) => (limit === 'messages' && window > latest ? window : latest),
    '',
  )
  const waits = state.zone?.effectiveAt != null && now < Date.parse(state.zone.effectiveAt)
  const next: ZoneState = {
    current: zone,
    previous: runs ? (waits ? (state.zone?.previous ?? null) : before) : null,
    effectiveAt: runs ? instant(day.end) : null,
    firstDate: runs ? nextDate(day.date) : lastCounted === '' ? null : nextDate(lastCounted),
  }
  return [
    action(
      'time_zone',
      `time zone: ${before ?? 'default'} -> ${zone ?? 'default'}`,
      { before, after: zone, zone: next },
      by,
    ),
  ]
}

/** The note's text is a record of its own; the event tells which one, how long, and a keyed digest of it. */
export function noteAdded(
  note: { readonly id: string; readonly length: number; readonly digest: string },
  by: Audit,
): Change {
  return [action('note', 'note added', { before: null, after: null, ...note }, by)]
}

function action(
  name: string,
  detail: string,
  data: Readonly<Record<string, unknown>>,
  { actor, reason }: Audit,
): NewEvent {
  return { type: 'admin_action', detail, data: { action: name, ...data }, actor, reason }
}
