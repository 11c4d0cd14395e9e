import { parseInteger, parseText, throwInvalid, validateFields } from '../../core/validate.ts'
import type { RatedLimit } from '../../openai/rate-limit-headers.ts'
import type { LimitMeasure } from '../../options.ts'
import { formatInstant } from '../calendar.ts'
import {
  decideAdmission,
  type Estimate,
  type LimitAdmitted,
  type LimitContext,
  type LimitRefused,
  type LimitRequest,
  type LimitTicket,
  moveAdmission,
} from '../limits/admission.ts'
import { formatAmount, formatMax } from '../limits/events.ts'
import { renewHolds } from '../limits/holds.ts'
import { parseMoney } from '../limits/money.ts'
import { DAILY } from '../limits/rule.ts'
import { refundUsage, type Settlement, settleUsage } from '../limits/settlement.ts'
import type { Usage } from '../limits/usage.ts'
import { dailyUseOf, limitContextOf, limitsOf, type Quota, quotaOf, ratesAt } from '../quota.ts'
import type { LedgerRules } from '../rules.ts'
import { activeBlock, type LedgerDecision, type LedgerView } from '../state.ts'
import { TICKET_RECORDS, TICKET_TTL_MS, type Ticket, ticketInvalid, ticketRecordName, ticketUsed } from '../tickets.ts'
import { beginRecords, NO_TOKENS, recordTurn, type TurnEnd } from '../turns/record-turn.ts'
import type { TurnEndRequest } from '../turns/turn-record.ts'
import { type DatedView, decideCorrected, wasIssuedAhead, withCorrectClock } from './clock-correction.ts'

/** Whether the user may act now. Both outcomes are values; only `allowed: true` has consumed anything. */
export type Admission = Admitted | Refused

export interface Admitted extends Quota {
  readonly allowed: true
  /** Opaque text. Settle or refund it once, in any process. */
  readonly ticket: string
  /** The effective `provider/model`; null when none was named. */
  readonly model: string | null
  /** The limit that changed the model; null: the one that was asked for. */
  readonly downgradedBy: string | null
  /** True when it was allowed while the store was unavailable (`onStoreFailure: 'admit'`): it is recorded later. Otherwise absent. */
  readonly unrecorded?: true
}

/** With the reason `limit`, the first limit that refuses; the others have no `limit`. */
export type Refused = RefusedByLimit | RefusedOtherwise

interface Refusal extends Quota {
  readonly allowed: false
  /** When a repeated call can succeed, in ms; null when that is unknown, such as for a block without an end. */
  readonly retryAfterMs: number | null
}

export interface RefusedByLimit extends Refusal {
  readonly reason: 'limit'
  readonly limit: ReachedLimit
}

export interface RefusedOtherwise extends Refusal {
  /** `daily_cap`: the cap of the window is used up. `blocked`: an operator has blocked the user. */
  readonly reason: 'daily_cap' | 'blocked'
  readonly limit?: undefined
}

/** A limit that refuses. Amounts are numbers, of `cost` decimal text. */
export interface ReachedLimit {
  readonly name: string
  readonly measure: LimitMeasure
  readonly max: number | string
  readonly used: number | string
  /** When all limits let the turn pass, ISO 8601; null when that is never or not known. */
  readonly resetAt: string | null
}

/** An admission as decided: the ticket is not encoded yet. */
export type AdmissionOutcome = Granted | Refused

export interface Granted {
  readonly allowed: true
  readonly ticket: Ticket
  readonly quota: Quota
  /** Whether something is held for it, which lapses unless it is renewed. */
  readonly isHeld: boolean
  /** What its rates are read from; absent when the user has only `daily`. */
  readonly after?: DatedView
  /** Allowed while the store was unavailable, and neither counted nor recorded yet. */
  readonly unrecorded?: true
  /** The rules under `observe` that would have refused it. */
  readonly observed: readonly string[]
  /** Settled and recorded as well. */
  readonly isSettled?: true
}

export interface AdmitCommand extends Omit<LimitRequest, 'id'> {
  readonly ticketId: string
  /** Whether the ticket pays for the turn that asks, and for no other. */
  readonly claimed: boolean
  /** How the turn ends with its admission, if it does. */
  readonly end?: TurnEndRequest | undefined
}

/** Checks and counts in one step. A refusal costs nothing and is not stored under an idempotency key. */
export function admit(rules: LedgerRules, command: AdmitCommand, view: LedgerView): LedgerDecision<AdmissionOutcome> {
  const blocked = checkBlock(rules, view)
  if (blocked !== undefined) return { remember: false, result: () => blocked }
  const { ticketId: id, claimed, weight, model, estimate, leaseMs } = command
  const request: LimitRequest = { id, weight, model, estimate, leaseMs }
  const { decided: outcome, changes } = decideCorrected(rules, view, (current) => {
    const context = limitContextOf(rules, current)
    const decided = decideAdmission(context, request, current.usage)
    return decided.allowed && decided.isHeld && endsNow(command, decided, view)
      ? releaseHold(context, decided)
      : decided
  })
  if (!outcome.allowed) {
    const refused = refusalOf(rules, outcome, view)
    return { remember: false, ...changes, result: () => refused }
  }
  const { at, model: effective, downgradedBy } = outcome.ticket
  const ticket: Ticket = {
    id,
    incarnation: view.incarnation,
    at,
    weight,
    model: effective,
    downgradedBy,
    issuedAt: view.now,
    claimed,
  }
  const { isHeld, observed } = outcome
  const usage = beginRecords(changes.usage, view.usage)
  const end = endsNow(command, outcome, view) ? endOf(command.end, outcome) : undefined
  const recorded = end && recordTurn(rules, end, { state: view.state, usage: usage ?? view.usage })
  // Without a spread, as this is decided for every turn.
  return {
    seen: true,
    events: changes.events,
    resetsSeen: changes.resetsSeen,
    measurements: changes.measurements,
    usage: recorded?.usage ?? usage,
    recorded: recorded?.recorded,
    // The ticket of a turn seldom leaves the process, and has no record then.
    absent: claimed ? undefined : [{ kind: TICKET_RECORDS, name: ticketRecordName(ticket) }],
    result: ({ view: after }) => grantOf(rules, { ticket, isHeld, observed, isSettled: end && true }, after),
  }
}

/** Whether a turn ends as it was found: on the model that it asked for, and for the user who asks. */
function endsNow(
  command: AdmitCommand,
  { ticket }: LimitAdmitted,
  { incarnation }: LedgerView,
): command is AdmitCommand & { readonly end: TurnEndRequest } {
  return command.end?.incarnation === incarnation && ticket.downgradedBy === null
}

/** It uses nothing of what was held for it. */
function releaseHold(context: LimitContext, admitted: LimitAdmitted): LimitAdmitted {
  const settlement = { inputTokens: 0, outputTokens: 0, cost: 0 }
  const { usage = admitted.usage } = settleUsage(context, { ticket: admitted.ticket, settlement }, admitted.usage)
  return { ...admitted, usage, isHeld: false }
}

function endOf({ facts }: TurnEndRequest, { ticket, observed }: LimitAdmitted): TurnEnd {
  const { at, downgradedBy } = ticket
  return { facts, at, downgradedBy, observed, admission: 'counted', tokens: NO_TOKENS, cost: 0 }
}

function grantOf(
  rules: LedgerRules,
  grant: Pick<Granted, 'ticket' | 'isHeld' | 'observed'> & { readonly isSettled?: true | undefined },
  view: LedgerView,
): Granted {
  const { ticket, isHeld, observed, isSettled } = grant
  const quota = quotaOf(dailyUseOf(rules, view))
  if (rules.policy.rulesOf(limitsOf(view.state), view.now).length === 1) {
    const granted = { allowed: true, ticket, quota, isHeld, observed } as const
    return isSettled ? { ...granted, isSettled } : granted
  }
  const { state, usage, now, stamps, measurements } = view
  // Not the view itself, which holds the whole unit of work in memory.
  const after = { state, usage, now, stamps, measurements }
  const granted = { allowed: true, ticket, quota, isHeld, observed, after } as const
  return isSettled ? { ...granted, isSettled } : granted
}

/** The tightest of the limits that count an admission, after it; undefined when the user has only `daily`. */
export function ratesOfGrant(rules: LedgerRules, { ticket, after }: Granted): readonly RatedLimit[] | undefined {
  return after && ratesAt(rules, after, ticket.model)
}

function refusalOf(rules: LedgerRules, { rule, used, freeAt, resetAt }: LimitRefused, view: LedgerView): Refused {
  const quota = quotaOf(dailyUseOf(rules, view))
  const retryAfterMs = resetAt === null ? null : Math.max(0, resetAt - view.now)
  if (rule.name === DAILY) {
    const reset = freeAt === null ? quota.resetAt : formatInstant(freeAt)
    return { allowed: false, reason: 'daily_cap', retryAfterMs, ...quota, resetAt: reset }
  }
  const limit: ReachedLimit = {
    name: rule.name,
    measure: rule.measure,
    max: formatMax(rule, rule.max) ?? 0,
    used: formatAmount(rule, used),
    resetAt: formatInstant(resetAt),
  }
  return { allowed: false, reason: 'limit', retryAfterMs, ...quota, limit }
}

/** The refusal of a blocked user; undefined when the user is not blocked. */
export function checkBlock(rules: LedgerRules, view: LedgerView): Refused | undefined {
  const block = activeBlock(view.state, view.now)
  if (block === null) return undefined
  return {
    allowed: false,
    reason: 'blocked',
    retryAfterMs: block.until === null ? null : Date.parse(block.until) - view.now,
    ...quotaOf(dailyUseOf(rules, view)),
  }
}

/** Marks a ticket as payment for one turn, and returns the admission it stands for. A blocked user is refused. */
export function claim(rules: LedgerRules, ticket: Ticket, view: LedgerView): LedgerDecision<AdmissionOutcome> {
  const use = findUse(rules, ticket, view)
  if (wasIssuedAhead(rules, ticket, view)) throw ticketInvalid()
  if (use !== undefined || ticket.claimed) throw ticketUsed(use ?? 'claimed')
  const refused = checkBlock(rules, view)
  if (refused !== undefined) return { result: () => refused }
  const isHeld = view.usage.holds?.some(({ id }) => id === ticket.id) ?? false
  return {
    seen: true,
    records: [useRecord(ticket, 'claimed')],
    result: () => grantOf(rules, { ticket, isHeld, observed: [] }, view),
  }
}

export type MoveCommand = TicketInUse & Pick<LimitRequest, 'model' | 'estimate' | 'leaseMs'>

/**
 * Moves an admission to another model: it is taken back and decided again in one step, under the same ticket. Refused, it
 * stays as it was. Throws `ticket_used` when it is closed.
 */
export function move(
  rules: LedgerRules,
  { ticket, isShared, ...request }: MoveCommand,
  view: LedgerView,
): LedgerDecision<AdmissionOutcome> {
  const use = isShared ? findUse(rules, ticket, view) : undefined
  if (use === 'settled' || use === 'refunded') throw ticketUsed(use)
  const { decided: outcome, changes } = decideCorrected(rules, view, (current) =>
    moveAdmission(limitContextOf(rules, current), { ticket, request }, current.usage),
  )
  if (!outcome.allowed) {
    const refused = refusalOf(rules, outcome, view)
    return { ...changes, result: () => refused }
  }
  const { at, model, downgradedBy } = outcome.ticket
  const moved: Ticket = { ...ticket, at, model, downgradedBy }
  return {
    ...changes,
    result: ({ view: after }) =>
      grantOf(rules, { ticket: moved, isHeld: outcome.isHeld, observed: outcome.observed }, after),
  }
}

/** A ticket, and whether its text was given to a caller, so that its use needs a record. */
export interface TicketInUse {
  readonly ticket: Ticket
  readonly isShared: boolean
  /** The turn that it paid for, which is recorded with its use. */
  readonly turn?: TurnEnd | undefined
}

/** Gives an admission back to the windows that counted it. False when it was already settled or refunded. */
export function refund(
  rules: LedgerRules,
  { ticket, isShared, turn }: TicketInUse,
  view: LedgerView,
): LedgerDecision<boolean> {
  const use = isShared ? findUse(rules, ticket, view) : undefined
  if (use === 'settled' || use === 'refunded') return { ...withRecord(rules, turn, view), result: () => false }
  const { changes } = decideCorrected(rules, view, (current) =>
    refundUsage(limitContextOf(rules, current), ticket, current.usage),
  )
  return {
    ...changes,
    ...withRecord(rules, turn, view, changes.usage),
    records: isShared ? [useRecord(ticket, 'refunded')] : [],
    result: () => true,
  }
}

/** The record of a turn, on the usage that its settlement has left. */
function withRecord(
  rules: LedgerRules,
  turn: TurnEnd | undefined,
  { state, usage: before }: LedgerView,
  usage: Usage = before,
): Pick<LedgerDecision<unknown>, 'usage' | 'recorded'> {
  return turn === undefined ? {} : recordTurn(rules, turn, { state, usage })
}

export interface SettleCommand extends TicketInUse {
  readonly settlement: Settlement
  /** The model that was called in the end. Default: the ticket's. */
  readonly model?: string | null | undefined
}

/** Closes a ticket and counts what was used in the windows of its admission. Throws `ticket_used` when it is closed. */
export function settle(
  rules: LedgerRules,
  { ticket, settlement, isShared, model, turn }: SettleCommand,
  view: LedgerView,
): LedgerDecision<void> {
  const use = isShared ? findUse(rules, ticket, view) : undefined
  if (use === 'settled' || use === 'refunded') {
    if (turn === undefined) throw ticketUsed(use)
    return { ...withRecord(rules, turn, view), result: () => undefined }
  }
  const settled: LimitTicket = { ...ticket, model: model ?? ticket.model }
  const { changes } = decideCorrected(rules, view, (current) =>
    settleUsage(limitContextOf(rules, current), { ticket: settled, settlement }, current.usage),
  )
  return {
    ...changes,
    ...withRecord(rules, turn, view, changes.usage),
    records: isShared ? [useRecord(ticket, 'settled')] : [],
    result: () => undefined,
  }
}

/** Extends the lease of what is held for a turn in progress. */
export function renew(
  { ticket, leaseMs }: { readonly ticket: Ticket; readonly leaseMs: number },
  { usage, now }: LedgerView,
): LedgerDecision<void> {
  const at = Math.max(now, usage.seenAt ?? 0)
  return { usage: renewHolds(usage, { ids: new Set([ticket.id]), at, leaseMs }), result: () => undefined }
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

/** The largest weight of one admission; sums stay exact. */
const MAX_WEIGHT = 1_000_000_000

export function parseWeight(cost: unknown): number {
  return cost === undefined ? 1 : parseInteger(cost, { name: 'cost', min: 0, max: MAX_WEIGHT, hint: 'Default: 1.' })
}

const MODEL_MAX_BYTES = 512

/** A `provider/model`; null when it is absent. */
export function parseModelName(model: unknown): string | null {
  if (model === undefined || model === null) return null
  const hint = "Example: 'openai/gpt-6'."
  const name = parseText(model, { name: 'model', maxBytes: MODEL_MAX_BYTES, hint })
  return name.includes('/') ? name : throwInvalid("'model' must be 'provider/model'.", { name: 'model', hint })
}

const MAX_COUNT = 1_000_000_000_000
const NOTHING: Estimate = { inputTokens: 0, outputTokens: 0 }

export function parseEstimate(estimate: unknown): Estimate {
  if (estimate === undefined) return NOTHING
  validateFields(estimate, ['inputTokens', 'outputTokens', 'cost'], { name: 'estimate' })
  const { inputTokens, outputTokens, cost } = estimate as Record<string, unknown>
  return {
    inputTokens: parseCount(inputTokens, 'estimate.inputTokens'),
    outputTokens: parseCount(outputTokens, 'estimate.outputTokens'),
    cost: cost === undefined ? undefined : parseMoney(cost, { name: 'estimate.cost' }),
  }
}

const USAGE_FIELDS = ['inputTokens', 'outputTokens', 'cachedTokens', 'cacheWriteTokens', 'toolCalls', 'cost'] as const

export function parseSettlement(usage: unknown): Settlement {
  validateFields(usage, USAGE_FIELDS, { name: 'usage' })
  const counts = usage as Record<(typeof USAGE_FIELDS)[number], unknown>
  const { cost } = counts
  return {
    inputTokens: parseCount(counts.inputTokens, 'inputTokens'),
    outputTokens: parseCount(counts.outputTokens, 'outputTokens'),
    cachedTokens: parseCount(counts.cachedTokens, 'cachedTokens'),
    cacheWriteTokens: parseCount(counts.cacheWriteTokens, 'cacheWriteTokens'),
    toolCalls: parseCount(counts.toolCalls, 'toolCalls'),
    ...(cost === undefined ? {} : { cost: parseMoney(cost, { name: 'cost' }) }),
  }
}

function parseCount(count: unknown, name: string): number {
  return count === undefined ? 0 : parseInteger(count, { name, min: 0, max: MAX_COUNT })
}
