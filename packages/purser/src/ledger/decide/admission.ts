import { parseInteger } from '../../core/validate.ts'
import { formatInstant } from '../calendar.ts'
import { capOf, currentUsage, type Quota, quotaOf } from '../quota.ts'
import type { LedgerRules } from '../rules.ts'
import { activeBlock, type LedgerDecision, type LedgerView } from '../state.ts'
import { TICKET_RECORDS, TICKET_TTL_MS, type Ticket, ticketInvalid, ticketRecordName, ticketUsed } from '../tickets.ts'
import { changeCounters, countMessages, type WindowUsage } from '../window.ts'
import { correctClock, decideCorrection, wasIssuedAhead, withCorrectClock } from './clock-correction.ts'

/** Whether the user may act now. Both outcomes are values; only `allowed: true` has consumed anything. */
export type Admission = Admitted | Refused

export interface Admitted extends Quota {
  readonly allowed: true
  /** Opaque text. Settle or refund it once, in any process. */
  readonly ticket: string
}

export interface Refused extends Quota {
  readonly allowed: false
  /** `daily_cap`: the cap of the window is used up. `blocked`: an operator has blocked the user. */
  readonly reason: 'daily_cap' | 'blocked'
  /** When a repeated call can succeed, in ms; null when that is unknown, such as for a block without an end. */
  readonly retryAfterMs: number | null
}

/** An admission as decided: the ticket is not encoded yet. */
export type AdmissionOutcome = Granted | Refused

export interface Granted {
  readonly allowed: true
  readonly ticket: Ticket
  readonly quota: Quota
}

export interface AdmitCommand {
  readonly cost: number
  readonly ticketId: string
  /** Whether the ticket pays for the turn that asks, and for no other. */
  readonly claimed: boolean
}

/** Checks and counts in one step. A refusal costs nothing and is not stored under an idempotency key. */
export function admit(rules: LedgerRules, command: AdmitCommand, view: LedgerView): LedgerDecision<AdmissionOutcome> {
  const { cost, ticketId, claimed } = command
  const cap = capOf(rules, view.state)
  const correction = correctClock(rules, view)
  const current = correction?.view ?? view
  const usage = currentUsage(rules, current)
  const refused = checkBlock(rules, view) ?? checkCap(cap, { usage, cost }, view.now)
  if (refused !== undefined) return { remember: false, result: () => refused }
  const ticket: Ticket = {
    id: ticketId,
    incarnation: view.incarnation,
    window: usage.window,
    cost,
    issuedAt: view.now,
    claimed,
  }
  return {
    seen: true,
    ...(correction === undefined ? {} : decideCorrection(view, correction)),
    absent: [{ kind: TICKET_RECORDS, name: ticketRecordName(ticket) }],
    usage: countMessages(rules, current.usage, {
      window: usage.window,
      value: usage.inWindow + cost,
      isOver: rules.clock.isSuspect ? () => false : usage.isOver,
    }),
    result: ({ view: after }) => ({ allowed: true, ticket, quota: quotaOf(cap, currentUsage(rules, after)) }),
  }
}

/** The refusal of a blocked user; undefined when the user is not blocked. */
export function checkBlock(rules: LedgerRules, view: LedgerView): Refused | undefined {
  const block = activeBlock(view.state, view.now)
  if (block === null) return undefined
  return {
    allowed: false,
    reason: 'blocked',
    retryAfterMs: block.until === null ? null : Date.parse(block.until) - view.now,
    ...quotaOf(capOf(rules, view.state), currentUsage(rules, view)),
  }
}

/** The refusal when the cost does not fit under the cap; undefined when it does. */
function checkCap(
  cap: number,
  { usage, cost }: { readonly usage: WindowUsage; readonly cost: number },
  now: number,
): Refused | undefined {
  if (cap === 0 || usage.count + cost <= cap) return undefined
  // A cost above the whole cap never fits.
  const freeAt = cost > cap ? null : usage.freeAt(usage.count + cost - cap)
  return {
    allowed: false,
    reason: 'daily_cap',
    retryAfterMs: freeAt === null ? null : Math.max(0, freeAt - now),
    ...quotaOf(cap, usage),
    ...(freeAt === null ? {} : { resetAt: formatInstant(freeAt) }),
  }
}

/** Marks a ticket as payment for one turn, and returns the admission it stands for. A blocked user is refused. */
export function claim(rules: LedgerRules, ticket: Ticket, view: LedgerView): LedgerDecision<AdmissionOutcome> {
  const use = findUse(rules, ticket, view)
  if (wasIssuedAhead(rules, ticket, view)) throw ticketInvalid()
  if (use !== undefined || ticket.claimed) throw ticketUsed(use ?? 'claimed')
  const refused = checkBlock(rules, view)
  if (refused !== undefined) return { result: () => refused }
  const quota = quotaOf(capOf(rules, view.state), currentUsage(rules, view))
  return {
    seen: true,
    records: [useRecord(ticket, 'claimed')],
    result: () => ({ allowed: true, ticket, quota }),
  }
}

/** A ticket, and whether its text was given to a caller, so that its use needs a record. */
interface TicketInUse {
  readonly ticket: Ticket
  readonly isShared: boolean
}

/** Subtracts a ticket's cost from the window it was counted in. False when it was already settled or refunded. */
export function refund(
  rules: LedgerRules,
  { ticket, isShared }: TicketInUse,
  view: LedgerView,
): LedgerDecision<boolean> {
  const use = isShared ? findUse(rules, ticket, view) : undefined
  if (use === 'settled' || use === 'refunded') return { result: () => false }
  return {
    records: isShared ? [useRecord(ticket, 'refunded')] : [],
    usage: changeCounters(rules, view.usage, { window: ticket.window, differences: { messages: -ticket.cost } }),
    result: () => true,
  }
}

export interface TokenCounts {
  readonly inputTokens: number
  readonly outputTokens: number
}

export interface Settlement extends TicketInUse {
  readonly tokens: TokenCounts
}

/** Closes a ticket and counts its tokens in the window of its messages. Throws `ticket_used` when it is closed. */
export function settle(
  rules: LedgerRules,
  { ticket, tokens, isShared }: Settlement,
  view: LedgerView,
): LedgerDecision<void> {
  const use = isShared ? findUse(rules, ticket, view) : undefined
  if (use === 'settled' || use === 'refunded') throw ticketUsed(use)
  return {
    records: isShared ? [useRecord(ticket, 'settled')] : [],
    usage: changeCounters(rules, view.usage, { window: ticket.window, differences: tokens }),
    result: () => undefined,
  }
}

/** How a ticket was used, as stored in its record. */
type TicketUse = 'claimed' | 'settled' | 'refunded'

/** Undefined when the ticket is unused. Throws `ticket_invalid` when it has expired. */
function findUse(rules: LedgerRules, ticket: Ticket, view: LedgerView): TicketUse | undefined {
  const { now, stamps } = withCorrectClock(rules, view)
  if (Math.max(now, stamps.seenAt ?? 0) - ticket.issuedAt > TICKET_TTL_MS) throw ticketInvalid()
  return view.record(TICKET_RECORDS, ticketRecordName(ticket)) as TicketUse | undefined
}

function useRecord(ticket: Ticket, value: TicketUse): { kind: string; name: string; value: string } {
  return { kind: TICKET_RECORDS, name: ticketRecordName(ticket), value }
}

/** The largest cost of one admission; sums stay exact. */
const MAX_COST = 1_000_000_000

export function parseCost(cost: unknown): number {
  return cost === undefined ? 1 : parseInteger(cost, { name: 'cost', min: 1, max: MAX_COST, hint: 'Default: 1.' })
}
