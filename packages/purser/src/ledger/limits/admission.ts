import type { NewEvent } from '../../journal/event.ts'
import { type Amount, add, compare } from './amount.ts'
import { amountOf, MAX_HOLDS, needsHold, type Spent, slotsUnder } from './holds.ts'
import type { UserZone } from './periods.ts'
import type { EffectiveRule, LimitPolicy, UserLimits } from './policy.ts'
import type { Prices } from './prices.ts'
import type { Usage } from './usage.ts'
import { UsageDraft } from './usage-draft.ts'

/*
 * Whether a turn may run under all rules of a user, decided on one state. Admitted, it is counted under every rule that
 * matches its model, and an estimate of what it will use is held. Refused, it counts nowhere.
 */

/** What decisions about one user depend on, besides the usage. */
export interface LimitContext {
  readonly policy: LimitPolicy
  readonly prices: Prices
  readonly zone: UserZone
  readonly limits: UserLimits
  /** Wall clock, epoch ms. */
  readonly now: number
}

export interface LimitRequest {
  /** The id of the ticket. */
  readonly id: string
  /** In turns; 0 for what is not a turn, such as a step after a tool. */
  readonly weight: number
  /** The effective `provider/model`; null when it is not known. Rules with `models` do not see it then. */
  readonly model: string | null
  readonly estimate: Estimate
  /** How long the estimate is held without being renewed. */
  readonly leaseMs: number
}

/** What a turn will probably use. Without a cost that of the model's price is held. */
export interface Estimate {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Nano-units. */
  readonly cost?: Amount | undefined
}

/** What a ticket has to tell to be settled, refunded or moved. */
export interface LimitTicket {
  readonly id: string
  /** The instant that it was counted at, epoch ms. */
  readonly at: number
  readonly weight: number
  /** The effective model. */
  readonly model: string | null
  /** The rule that changed the model; null: the requested one. */
  readonly downgradedBy: string | null
}

export type LimitOutcome = LimitAdmitted | LimitRefused

export interface LimitAdmitted {
  readonly allowed: true
  readonly ticket: LimitTicket
  /** Whether something is held for it, which lapses unless it is renewed. */
  readonly isHeld: boolean
  readonly usage: Usage
  readonly events: readonly NewEvent[]
  /** The rules under `observe` that would have refused it. */
  readonly observed: readonly string[]
}

export interface LimitRefused {
  readonly allowed: false
  /** The first rule that refuses. */
  readonly rule: EffectiveRule
  readonly used: Amount
  /** When this rule would let it pass, epoch ms; null when that is never or not known. */
  readonly freeAt: number | null
  /** When all rules would let it pass, epoch ms; null when that is never or not known. */
  readonly resetAt: number | null
  /** The rules under `observe` that would have refused it as well. */
  readonly observed: readonly string[]
  /** Changed only by what is reported once; undefined: unchanged. */
  readonly usage: Usage | undefined
  readonly events: readonly NewEvent[]
}

interface Refusal {
  readonly rule: EffectiveRule
  readonly used: Amount
  readonly resetAt: number | null
}

/** Decides, counts and holds in one step. */
export function decideAdmission(context: LimitContext, request: LimitRequest, usage: Usage): LimitOutcome {
  const draft = new UsageDraft(usage, context.now, context.zone)
  return decide(context, { ...asked(context, request), exempt: null, downgradedBy: null, mayDowngrade: true }, draft)
}

/** Counts and holds what was admitted without a decision, also beyond a limit. */
export function countAdmission(context: LimitContext, request: LimitRequest, usage: Usage): LimitAdmitted {
  const draft = new UsageDraft(usage, context.now, context.zone)
  return admit(context, { ...asked(context, request), downgradedBy: null }, { draft, observed: NO_NAMES })
}

/**
 * Moves an admission to another model, for a fallback: it is taken back and decided again for the other model, in one
 * step. Refused, the admission stays as it was.
 */
export function moveAdmission(
  context: LimitContext,
  { ticket, request }: { readonly ticket: LimitTicket; readonly request: Omit<LimitRequest, 'id' | 'weight'> },
  usage: Usage,
): LimitOutcome {
  const draft = new UsageDraft(usage, context.now, context.zone)
  takeBack(context, ticket, draft)
  const { id, weight, downgradedBy } = ticket
  const attempt = asked(context, { ...request, id, weight })
  const moved = decide(context, { ...attempt, exempt: downgradedBy, downgradedBy, mayDowngrade: false }, draft)
  if (moved.allowed) return moved
  // What the refusal reports is reported on the usage in which the admission is still counted.
  const rest = new UsageDraft(usage, context.now, context.zone)
  for (const { rule, used, resetAt } of refusalsOf(context, attempt, draft)) rest.reportReached(rule, used, resetAt)
  return { ...moved, usage: rest.toChangedUsage(), events: rest.events }
}

/** Subtracts a refunded or moved admission from the windows that counted it, and releases its hold. */
export function takeBack({ policy, limits }: LimitContext, ticket: LimitTicket, draft: UsageDraft): void {
  draft.releaseHold(ticket.id)
  if (ticket.weight === 0) return
  const change = { instant: ticket.at, amount: ticket.weight, isRefund: true }
  for (const rule of policy.rulesOf(limits, draft.clock.at)) {
    if (rule.measure === 'turns' && rule.matches(ticket.model))
      rule.window.countAt(draft.useOf(rule), change, draft.clock)
  }
}

/** A request, with the cost of its estimate at the price of its model. */
interface Asked {
  readonly request: LimitRequest
  readonly spent: Spent
}

function asked({ prices }: LimitContext, request: LimitRequest): Asked {
  const { estimate, model } = request
  const { inputTokens, outputTokens, cost } = estimate
  if (cost !== undefined) return { request, spent: { inputTokens, outputTokens, cost } }
  const isEmpty = inputTokens === 0 && outputTokens === 0
  // An unknown price counts as 0.
  return { request, spent: { inputTokens, outputTokens, cost: isEmpty ? 0 : (prices.costOf(model, estimate) ?? 0) } }
}

interface Attempt extends Asked {
  /** The name of a rule that does not refuse. */
  readonly exempt: string | null
  readonly downgradedBy: string | null
  readonly mayDowngrade: boolean
}

function decide(context: LimitContext, attempt: Attempt, draft: UsageDraft): LimitOutcome {
  const { request, exempt, mayDowngrade } = attempt
  const refusals = refusalsOf(context, attempt, draft)
  if (refusals.length === 0) return admit(context, attempt, { draft, observed: NO_NAMES })
  for (const { rule, used, resetAt } of refusals) draft.reportReached(rule, used, resetAt)
  const enforced = refusals.filter(({ rule }) => rule.mode === 'enforce' && rule.name !== exempt)
  const observed = namesOf(refusals.filter(({ rule }) => rule.mode === 'observe'))
  const [first] = enforced
  if (first === undefined) return admit(context, attempt, { draft, observed })
  const model = mayDowngrade ? targetOf(first.rule, request.model) : null
  if (model !== null) {
    const { name } = first.rule
    // A turn that asks for the other model itself passes as well, unchanged.
    const downgradedBy = model === request.model ? null : name
    const other = asked(context, { ...request, model })
    return decide(context, { ...other, exempt: name, downgradedBy, mayDowngrade: false }, draft)
  }
  return {
    allowed: false,
    rule: first.rule,
    used: first.used,
    freeAt: first.resetAt,
    resetAt: latestReset(enforced),
    observed,
    usage: draft.toChangedUsage(),
    events: draft.events,
  }
}

/** The model that a rule sends a turn to instead of refusing it; null when it refuses. */
function targetOf({ onLimit }: EffectiveRule, model: string | null): string | null {
  if (onLimit === 'refuse') return null
  if (onLimit.provider !== undefined) return `${onLimit.provider}/${onLimit.model}`
  const slash = model?.indexOf('/') ?? -1
  return slash === -1 ? null : `${model?.slice(0, slash)}/${onLimit.model}`
}

function latestReset(refusals: readonly Refusal[]): number | null {
  let latest = 0
  for (const { resetAt } of refusals) {
    if (resetAt === null) return null
    latest = Math.max(latest, resetAt)
  }
  return latest
}

const NO_REFUSALS: readonly Refusal[] = []
const NO_NAMES: readonly string[] = []

function namesOf(refusals: readonly Refusal[]): readonly string[] {
  return refusals.length === 0 ? NO_NAMES : refusals.map(({ rule }) => rule.name)
}

/** The rules under which a turn does not fit, in their order. */
function refusalsOf(
  { policy, limits }: LimitContext,
  { request, spent }: Asked,
  draft: UsageDraft,
): readonly Refusal[] {
  let refusals: Refusal[] | undefined
  const question: Question = { weight: request.weight, spent, draft }
  for (const rule of policy.rulesOf(limits, draft.clock.at)) {
    if (rule.max === null || !isCounted(rule, request)) continue
    const refusal = findRefusal(rule, rule.max, question)
    if (refusal === undefined) continue
    refusals ??= []
    refusals.push(refusal)
  }
  return refusals ?? NO_REFUSALS
}

/** Steps of a turn are neither turns nor do they need a slot. */
function isCounted(rule: EffectiveRule, { weight, model }: Pick<LimitRequest, 'weight' | 'model'>): boolean {
  if (weight === 0 && (rule.measure === 'turns' || rule.measure === 'concurrent')) return false
  return rule.matches(model)
}

/** When a slot may be free again: nothing tells, so a client should ask again soon. */
const SLOT_RETRY_MS = 1_000

/** What is asked of every rule. */
interface Question {
  readonly weight: number
  readonly spent: Spent
  readonly draft: UsageDraft
}

function findRefusal(rule: EffectiveRule, max: Amount, question: Question): Refusal | undefined {
  const { draft } = question
  const refusal =
    rule.measure === 'concurrent' ? findSlotRefusal(rule, max, draft) : findUseRefusal(rule, max, question)
  if (refusal !== undefined || !needsHold(rule) || draft.holds.length < MAX_HOLDS) return refusal
  return { rule, used: draft.holds.length, resetAt: draft.clock.now + SLOT_RETRY_MS }
}

function findSlotRefusal(rule: EffectiveRule, max: Amount, { holds, clock }: UsageDraft): Refusal | undefined {
  const used = slotsUnder(rule, holds)
  if (compare(used + 1, max) <= 0) return undefined
  return { rule, used, resetAt: max === 0 ? null : clock.now + SLOT_RETRY_MS }
}

function findUseRefusal(rule: EffectiveRule, max: Amount, { weight, spent, draft }: Question): Refusal | undefined {
  const { clock } = draft
  const { measure, window } = rule
  const use = draft.useOf(rule)
  const used = window.usedIn(use, clock)
  const held = draft.heldUnder(rule, use)
  // Also what is not estimated needs something that is left.
  const needed = measure === 'turns' ? weight : atLeastOne(amountOf(measure, spent))
  if (compare(add(add(used, held), needed), max) <= 0) return undefined
  return { rule, used, resetAt: window.freeAt(use, { needed, max, held }, clock) }
}

function atLeastOne(amount: Amount): Amount {
  return amount === 0 ? 1 : amount
}

function admit(
  { policy, limits }: LimitContext,
  { request, spent, downgradedBy }: Asked & Pick<Attempt, 'downgradedBy'>,
  { draft, observed }: { readonly draft: UsageDraft; readonly observed: readonly string[] },
): LimitAdmitted {
  const { id, weight, model } = request
  const { clock } = draft
  const rules = policy.rulesOf(limits, clock.at)
  // An empty estimate holds nothing, but a turn has its slot.
  const canHold = !isNothing(spent) || rules.some((rule) => isSlot(rule, request))
  let isHeld = false
  for (const rule of rules) {
    if (!isCounted(rule, request)) continue
    isHeld ||= canHold && rule.max !== null && needsHold(rule)
    if (rule.measure === 'concurrent') continue
    const amount = rule.measure === 'turns' ? weight : 0
    const used = rule.window.count(draft.useOf(rule), amount, clock)
    if (amount !== 0) draft.reportThresholds(rule, used)
  }
  if (isHeld) hold(rules, { request, spent }, draft)
  const ticket: LimitTicket = { id, at: clock.at, weight, model, downgradedBy }
  return { allowed: true, ticket, isHeld, usage: draft.toAdmittedUsage(), events: draft.events, observed }
}

function isSlot(rule: EffectiveRule, request: LimitRequest): boolean {
  return rule.measure === 'concurrent' && isCounted(rule, request)
}

function isNothing({ inputTokens, outputTokens, cost }: Spent): boolean {
  return inputTokens === 0 && outputTokens === 0 && cost === 0
}

function hold(rules: readonly EffectiveRule[], { request, spent }: Asked, draft: UsageDraft): void {
  const { id, weight, model, leaseMs } = request
  const { at } = draft.clock
  // Full only where nothing but observed rules would hold.
  if (draft.holds.length >= MAX_HOLDS) return
  const isTurn = weight > 0
  draft.addHold({ id, at, until: at + leaseMs, ...(model === null ? {} : { model }), isTurn, ...spent })
  if (!isTurn) return
  for (const rule of rules)
    if (rule.measure === 'concurrent' && rule.matches(model))
      draft.reportThresholds(rule, slotsUnder(rule, draft.holds))
}
