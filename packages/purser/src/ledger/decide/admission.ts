import { PurserError } from '../../errors.ts'
import type { Decision } from '../../journal/api.ts'
import type { Counter } from '../../storage/commit.ts'
import { blockAt, capOf, instant, type LedgerView, type Quota, quotaOf, type Rules, usageIn } from '../quota.ts'
import type { LedgerState, Measurements } from '../state.ts'
import {
  type IssuedTicket,
  invalid,
  TICKET_LIFE_MS,
  TICKET_RECORDS,
  type Ticket,
  ticketRecord,
  used,
} from '../tickets.ts'
import { countIn, LIMITS, type Limit, limitName, type Usage } from '../window.ts'

/** May the user act now? An expected outcome either way; only `allowed: true` has used anything up. */
export type Admission = Admitted | Refused

export interface Admitted extends Quota {
  readonly allowed: true
  /** Opaque. To be settled or refunded once, in any process. */
  readonly ticket: string
}

export interface Refused extends Quota {
  readonly allowed: false
  /** `daily_cap`: the window is used up. `blocked`: an operator has blocked the user. */
  readonly reason: 'daily_cap' | 'blocked'
  /** When a repeated call can succeed; null when nobody can say (a block without an end). */
  readonly retryAfterMs: number | null
}

type LedgerDecision<Result> = Decision<LedgerState, Measurements, Result>

export interface AdmitCommand {
  readonly cost: number
  readonly ticketId: string
  /** The ticket pays for the turn that asks, and for no other. */
  readonly claimed: boolean
  issue(ticket: Ticket): IssuedTicket
}

/** Checks and counts in one step. A refusal costs nothing and is not remembered under an idempotency key. */
export function admit(rules: Rules, command: AdmitCommand, view: LedgerView): LedgerDecision<Admission> {
  const { state, now } = view
  const cap = capOf(rules, state)
  const usage = usageIn(rules, view)
  const refusal = refusalOf({ cap, usage, cost: command.cost }, state, now)
  if (refusal !== undefined) return { remember: false, result: () => refusal }
  const counted: Counter = {
    limit: limitName(rules, 'messages'),
    window: usage.window,
    value: usage.inWindow + command.cost,
  }
  const ticket: Ticket = {
    id: command.ticketId,
    incarnation: view.incarnation,
    window: usage.window,
    cost: command.cost,
    issuedAt: now,
    claimed: command.claimed,
  }
  return {
    seen: true,
    absent: [{ kind: TICKET_RECORDS, name: ticketRecord(ticket) }],
    counters: [counted],
    dropCounters: view.counters.filter(({ limit, window }) => isOurs(rules, limit) && usage.isOver(window)),
    result: ({ view: after }) => admitted(command.issue(ticket), quotaOf(cap, usageIn(rules, after))),
  }
}

function admitted(issued: IssuedTicket, quota: Quota): Admitted {
  return {
    allowed: true,
    get ticket() {
      return issued.text
    },
    ...quota,
  }
}

function refusalOf(
  { cap, usage, cost }: { cap: number; usage: Usage; cost: number },
  state: LedgerState,
  now: number,
): Refused | undefined {
  const block = blockAt(state, now)
  if (block !== null) {
    const retryAfterMs = block.until === null ? null : Date.parse(block.until) - now
    return { allowed: false, reason: 'blocked', retryAfterMs, ...quotaOf(cap, usage) }
  }
  if (cap === 0 || usage.count + cost <= cap) return undefined
  // What costs more than the whole cap never fits.
  const freeAt = cost > cap ? null : usage.freeAt(usage.count + cost - cap)
  return {
    allowed: false,
    reason: 'daily_cap',
    retryAfterMs: freeAt === null ? null : Math.max(0, freeAt - now),
    ...quotaOf(cap, usage),
    ...(freeAt === null ? {} : { resetAt: instant(freeAt) }),
  }
}

/** What a blocked user is told; undefined when they are not blocked. */
export function blocked(rules: Rules, view: LedgerView): Refused | undefined {
  const usage = usageIn(rules, view)
  const refusal = refusalOf({ cap: 0, usage, cost: 0 }, view.state, view.now)
  return refusal && { ...refusal, ...quotaOf(capOf(rules, view.state), usage) }
}

/** A ticket pays for one turn: marks it and gives the admission it stands for. A blocked user is refused all the same. */
export function claim(
  rules: Rules,
  { ticket, text }: { readonly ticket: Ticket; readonly text: string },
  view: LedgerView,
): LedgerDecision<Admission> {
  const past = pastOf(ticket, view)
  if (past !== undefined || ticket.claimed) throw used(past ?? 'claimed')
  const refusal = blocked(rules, view)
  if (refusal !== undefined) return { result: () => refusal }
  const cap = capOf(rules, view.state)
  const usage = usageIn(rules, view)
  return {
    seen: true,
    records: [mark(ticket, 'claimed')],
    result: () => ({ allowed: true, ticket: text, ...quotaOf(cap, usage) }),
  }
}

/** Gives a ticket's cost back to the window it was counted in. False when the ticket was already used up. */
export function refund(rules: Rules, ticket: Ticket, view: LedgerView): LedgerDecision<boolean> {
  const past = pastOf(ticket, view)
  if (past === 'settled' || past === 'refunded') return { result: () => false }
  return {
    records: [mark(ticket, 'refunded')],
    counters: changed(rules, view, ticket, { messages: -ticket.cost }),
    result: () => true,
  }
}

export interface Tokens {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** Closes a ticket and counts the tokens it used, in the window of its messages. */
export function settle(
  rules: Rules,
  { ticket, tokens }: { readonly ticket: Ticket; readonly tokens: Tokens },
  view: LedgerView,
): LedgerDecision<void> {
  const past = pastOf(ticket, view)
  if (past === 'settled' || past === 'refunded') throw used(past)
  return {
    records: [mark(ticket, 'settled')],
    counters: changed(rules, view, ticket, { ...tokens }),
    result: () => undefined,
  }
}

/** New values of a ticket's window; none when the window has been dropped, for nothing looks at it again. */
function changed(
  rules: Rules,
  { counters }: LedgerView,
  { window }: Ticket,
  differences: Partial<Record<Limit, number>>,
): Counter[] {
  const messages = limitName(rules, 'messages')
  if (!counters.some((counter) => counter.limit === messages && counter.window === window)) return []
  return LIMITS.flatMap((name): Counter[] => {
    const difference = differences[name] ?? 0
    const limit = limitName(rules, name)
    const value = Math.max(0, countIn(counters, limit, window) + difference)
    return difference === 0 ? [] : [{ limit, window, value }]
  })
}

type Past = 'claimed' | 'settled' | 'refunded'

function pastOf(ticket: Ticket, view: LedgerView): Past | undefined {
  if (Math.max(view.now, view.stamps.seenAt ?? 0) - ticket.issuedAt > TICKET_LIFE_MS) throw invalid()
  return view.record(TICKET_RECORDS, ticketRecord(ticket)) as Past | undefined
}

function mark(ticket: Ticket, value: Past): { kind: string; name: string; value: string } {
  return { kind: TICKET_RECORDS, name: ticketRecord(ticket), value }
}

function isOurs(rules: Rules, limit: string): boolean {
  return LIMITS.some((name) => limitName(rules, name) === limit)
}

/** The largest cost of one admission; sums stay exact far beyond it. */
export const MAX_COST = 1_000_000_000

export function costOf(cost: unknown): number {
  if (cost === undefined) return 1
  if (Number.isSafeInteger(cost) && (cost as number) >= 1 && (cost as number) <= MAX_COST) return cost as number
  throw new PurserError('argument_invalid', `A cost is a whole number from 1 to ${MAX_COST.toLocaleString('en')}.`, {
    hint: 'Leave it out for 1.',
    details: { param: 'cost' },
  })
}
