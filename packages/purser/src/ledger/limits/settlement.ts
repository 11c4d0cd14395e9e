import type { NewEvent } from '../../journal/event.ts'
import { type LimitContext, type LimitTicket, takeBack } from './admission.ts'
import type { Amount } from './amount.ts'
import { amountOf, type Spent } from './holds.ts'
import type { TokenUse } from './prices.ts'
import type { Usage } from './usage.ts'
import { UsageDraft } from './usage-draft.ts'
import type { MeasuredTokens } from './window.ts'

/** What a turn has used. A call that no model was asked for costs 0. */
export interface Settlement extends TokenUse {
  readonly toolCalls?: number
  /** Nano-units. Default: at the price of the ticket's model. */
  readonly cost?: Amount | undefined
}

export interface Settled {
  /** Undefined: unchanged. */
  readonly usage: Usage | undefined
  readonly events: readonly NewEvent[]
  /** What was counted, nano-units; null when the model has no price, which counts as 0. */
  readonly cost: Amount | null
}

/** Replaces the hold of a ticket by what was used, counted in the windows of its admission. */
export function settleUsage(
  context: LimitContext,
  { ticket, settlement }: { readonly ticket: LimitTicket; readonly settlement: Settlement },
  usage: Usage,
): Settled {
  const draft = new UsageDraft(usage, context.now, context.zone)
  const cost = settlement.cost ?? context.prices.costOf(ticket.model, settlement)
  const { inputTokens, outputTokens, toolCalls = 0 } = settlement
  const spent: Spent = { inputTokens, outputTokens, toolCalls, cost: cost ?? 0 }
  draft.releaseHold(ticket.id)
  measureTokens(context, { instant: ticket.at, inputTokens, outputTokens }, draft)
  for (const rule of context.policy.rulesOf(context.limits, draft.clock.at)) {
    const amount = rule.matches(ticket.model) ? amountOf(rule.measure, spent) : 0
    if (amount === 0) continue
    const change = { instant: ticket.at, amount, isRefund: false }
    const used = rule.window.countAt(draft.useOf(rule), change, draft.clock)
    if (used !== undefined) draft.reportThresholds(rule, used)
  }
  return { usage: draft.toChangedUsage(), events: draft.events, cost }
}

function measureTokens({ policy, limits }: LimitContext, tokens: MeasuredTokens, draft: UsageDraft): void {
  if (tokens.inputTokens === 0 && tokens.outputTokens === 0) return
  const daily = policy.rulesOf(limits, draft.clock.at)[0]
  daily?.window.measureTokens(draft.useOf(daily), tokens, draft.clock)
}

/** Gives an admission back to the windows that counted it. */
export function refundUsage(context: LimitContext, ticket: LimitTicket, usage: Usage): Omit<Settled, 'cost'> {
  const draft = new UsageDraft(usage, context.now, context.zone)
  takeBack(context, ticket, draft)
  return { usage: draft.toChangedUsage(), events: draft.events }
}
