import type { NewEvent } from '../../journal/event.ts'
import { formatInstant } from '../calendar.ts'
import { countAdmission, type LimitRequest } from '../limits/admission.ts'
import { type Settlement, settleUsage } from '../limits/settlement.ts'
import type { Usage } from '../limits/usage.ts'
import { limitContextOf } from '../quota.ts'
import type { LedgerRules } from '../rules.ts'
import type { LedgerDecision, LedgerView } from '../state.ts'
import type { Ticket } from '../tickets.ts'
import { decideCorrected } from './clock-correction.ts'

/** An admission that was allowed while the store was unavailable. */
export interface UnrecordedAdmission {
  readonly ticket: Ticket
  readonly estimate: LimitRequest['estimate']
  readonly leaseMs: number
  /** What the turn has used; undefined: it has not ended. */
  readonly settlement: Settlement | undefined
}

/**
 * Counts admissions of one user that were allowed while the store was unavailable, also beyond a limit, with one event that
 * says so. Results in the instant at which they were counted, which their settlements need. Null: nothing was
 * counted, because the user was erased meanwhile.
 */
export function recordUnrecorded(
  rules: LedgerRules,
  admissions: readonly UnrecordedAdmission[],
  view: LedgerView,
): LedgerDecision<number | null> {
  const isErased = !view.exists && view.incarnation > 1
  const current = admissions.filter(
    ({ ticket }) => !isErased && (ticket.incarnation === 0 || ticket.incarnation === view.incarnation),
  )
  if (current.length === 0) return { remember: false, result: () => null }
  const { decided, changes } = decideCorrected(rules, view, (corrected) => countAll(rules, current, corrected))
  return {
    seen: true,
    ...changes,
    events: [...(changes.events ?? []), eventOf(current)],
    result: () => decided.at,
  }
}

function countAll(
  rules: LedgerRules,
  admissions: readonly UnrecordedAdmission[],
  view: LedgerView,
): { readonly usage: Usage; readonly events: readonly NewEvent[]; readonly at: number } {
  const context = limitContextOf(rules, view)
  const events: NewEvent[] = []
  let usage = view.usage
  let at = view.now
  for (const { ticket, estimate, leaseMs, settlement } of admissions) {
    const { id, weight, model, downgradedBy } = ticket
    const counted = countAdmission(context, { id, weight, model, estimate, leaseMs }, usage)
    usage = counted.usage
    at = counted.ticket.at
    events.push(...counted.events)
    if (settlement === undefined) continue
    const settled = settleUsage(context, { ticket: { id, at, weight, model, downgradedBy }, settlement }, usage)
    usage = settled.usage ?? usage
    events.push(...settled.events)
  }
  return { usage, events, at }
}

/** Says why admissions were counted without a decision. */
function eventOf(admissions: readonly UnrecordedAdmission[]): NewEvent {
  const instants = admissions.map(({ ticket }) => ticket.issuedAt)
  const { length } = admissions
  return {
    type: 'unrecorded_admissions',
    detail: `${length} ${length === 1 ? 'turn was' : 'turns were'} admitted while the store was unavailable`,
    data: {
      reason: 'store_unavailable',
      admissions: length,
      weight: admissions.reduce((sum, { ticket }) => sum + ticket.weight, 0),
      from: formatInstant(Math.min(...instants)),
      to: formatInstant(Math.max(...instants)),
    },
  }
}
