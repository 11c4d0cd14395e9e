import { type AbortOptions, withSignal } from '../core/abort.ts'
import { publish } from '../core/diagnostics.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import type {
  AdmitOptions,
  AdmitTurnOptions,
  AdmittedTurn,
  IdempotencyOptions,
  InternalUserLedger,
  RecordTurnOptions,
  TokenUsage,
  UserLedger,
} from './api.ts'
import {
  type Admission,
  type AdmissionOutcome,
  type AdmitCommand,
  type Admitted,
  admit,
  checkBlock,
  claim,
  type Granted,
  limitsOfGrant,
  type MoveCommand,
  move,
  parseEstimate,
  parseModelName,
  parseSettlement,
  parseWeight,
  refund,
  renew,
  type SettleCommand,
  settle,
  type TicketInUse,
} from './decide/admission.ts'
import type { LedgerDeps } from './deps.ts'
import type { Amount } from './limits/amount.ts'
import { estimateUsage } from './limits/estimate-usage.ts'
import type { LimitState } from './limits/limit-state.ts'
import type { Settlement } from './limits/settlement.ts'
import { dailyUseOf, quotaOf } from './quota.ts'
import type { LedgerWrite } from './state.ts'
import { incarnationOf, type Ticket, Tickets, ticketWrite } from './tickets.ts'
import { NO_TOKENS, recordTurn, type TurnEnd } from './turns/record-turn.ts'
import type { EndedTokens } from './turns/stored-turn.ts'
import type { TurnFacts } from './turns/turn-record.ts'
import type { WaitingAdmission } from './unrecorded-admissions.ts'
import { IDEMPOTENCY_OPTIONS, idempotentWrite } from './write-options.ts'

type Admissions = Pick<InternalUserLedger, 'admitTurn' | 'estimate' | 'recordTurn'> &
  Pick<UserLedger, 'admit' | 'claim' | 'quota' | 'refund' | 'settle'>

export function createAdmissions(deps: LedgerDeps, user: Subject): Admissions {
  const tickets = new Tickets(deps.keys, user)
  const writes = new AdmissionWrites(deps, user, tickets)

  return {
    async admit(options = {}) {
      validateOptions('admit', options, ['cost', 'model', 'estimate', ...IDEMPOTENCY_OPTIONS])
      const { model: asked, estimate = null } = options
      const model = parseModelName(asked)
      const body = model === null && estimate === null ? null : { model, estimate }
      const outcome = await writes.admit(options, { call: 'admit', body, claimed: false, estimate: options.estimate })
      return encodeOutcome(tickets, outcome)
    },

    async admitTurn(options) {
      const { ticket, request } = options
      const estimate = deps.rules.policy.needsEstimate ? options.estimate : undefined
      const outcome =
        ticket === undefined
          ? await writes.admit(options, { call: 'turn', body: request, claimed: true, estimate })
          : await writes.claim(tickets.decode(ticket), options, { call: 'turn', body: { ticket, asked: request } })
      if (!outcome.allowed) return outcome
      const isShared = ticket !== undefined || options.idempotencyKey !== undefined
      const waiting = outcome.unrecorded && deps.unrecorded.find(user, outcome.ticket)
      const model = options.model ?? null
      return new TurnAdmission(deps, { writes, tickets, granted: outcome, waiting, isShared, model })
    },

    estimate: (request, known) => estimateUsage(request, known, deps.rules.hold),

    recordTurn: (facts, options = {}) => writes.recordLater(facts, options),

    async claim(ticket, options = {}) {
      validateOptions('claim', options, [])
      const { signal } = options
      return encodeOutcome(
        tickets,
        await writes.claim(tickets.decode(ticket), { signal }, { call: 'claim', body: null }),
      )
    },

    async quota(options = {}) {
      validateOptions('quota', options, [])
      const view = await withSignal(deps.journal.read(user), options.signal)
      return quotaOf(dailyUseOf(deps.rules, view))
    },

    async refund(ticket, options = {}) {
      validateOptions('refund', options, IDEMPOTENCY_OPTIONS)
      return writes.refund(tickets.decode(ticket), { ...options, body: ticket })
    },

    async settle(ticket, usage = {}, options = {}) {
      validateOptions('settle', options, IDEMPOTENCY_OPTIONS)
      const settlement = parseSettlement(usage)
      const { inputTokens, outputTokens, ...others } = usage
      const body = {
        text: ticket,
        tokens: { inputTokens: inputTokens ?? 0, outputTokens: outputTokens ?? 0, ...others },
      }
      return writes.settle(tickets.decode(ticket), settlement, { ...options, body })
    },
  }
}

interface AdmissionCall {
  readonly call: 'admit' | 'claim' | 'turn'
  readonly body: unknown
}

/** The writes behind the calls, with parsed arguments. */
class AdmissionWrites {
  readonly #deps: LedgerDeps
  readonly #user: Subject
  readonly #tickets: Tickets

  constructor(deps: LedgerDeps, user: Subject, tickets: Tickets) {
    this.#deps = deps
    this.#user = user
    this.#tickets = tickets
  }

  async admit(
    options: Omit<AdmitOptions, 'estimate'>,
    {
      call,
      body,
      claimed,
      estimate,
    }: AdmissionCall & { readonly claimed: boolean; readonly estimate: AdmitOptions['estimate'] },
  ): Promise<AdmissionOutcome> {
    const { journal, rules, effects, unrecorded } = this.#deps
    const weight = parseWeight(options.cost)
    const command = {
      weight,
      model: options.model ?? null,
      estimate: parseEstimate(estimate),
      ticketId: effects.randomId(),
      claimed,
      leaseMs: claimed ? rules.hold.leaseMs : TICKET_LEASE_MS,
    }
    if (unrecorded.isStoreDown) return this.#admitUnrecorded(command)
    const write = journal.write<AdmissionOutcome, Admission>(this.#user, {
      ...this.#idempotentWrite(options, { call, body: { cost: weight, asked: body } }),
      ...decideUnlessAborted(options, call, (view) => admit(rules, command, view)),
    })
    const outcome = await write.catch((error: unknown) => this.#admitUnrecorded(command, error))
    if (outcome.allowed && outcome.unrecorded) return outcome
    this.#publish(outcome)
    if (outcome.allowed && weight > 0 && outcome.quota.count === weight) this.#deps.sweeper.onWindowOpened(this.#user)
    return outcome
  }

  #admitUnrecorded(command: AdmitCommand, error?: unknown): Granted {
    const { namespace, id } = this.#user
    const granted = this.#deps.unrecorded.admit(this.#user, command, error)
    publish('admission', { namespace, user: id, outcome: 'unrecorded' })
    return granted
  }

  move(command: MoveCommand): Promise<AdmissionOutcome> {
    const { ticket, isShared } = command
    return this.#deps.journal.write<AdmissionOutcome>(this.#user, {
      ...(isShared ? ticketWrite(ticket) : incarnationOf(ticket)),
      decide: (view) => move(this.#deps.rules, command, view),
    })
  }

  claim(ticket: Ticket, options: IdempotencyOptions, call: AdmissionCall): Promise<AdmissionOutcome> {
    return this.#deps.journal.write<AdmissionOutcome, Admission>(this.#user, {
      ...ticketWrite(ticket),
      ...this.#idempotentWrite(options, call),
      ...decideUnlessAborted(options, call.call, (view) => claim(this.#deps.rules, ticket, view)),
    })
  }

  async refund(
    ticket: Ticket,
    { body, ...options }: IdempotencyOptions & { readonly body?: unknown } = {},
  ): Promise<boolean> {
    const isRefunded = await this.#deps.journal.write<boolean>(this.#user, {
      ...ticketWrite(ticket),
      ...idempotentWrite<boolean>(options, { call: 'refund', body }),
      decide: (view) => refund(this.#deps.rules, { ticket, isShared: true }, view),
    })
    if (isRefunded) this.#ticketClosed()
    return isRefunded
  }

  refundLater(use: TicketInUse): void {
    const { ticket, isShared } = use
    this.#deps.journal.defer<boolean>(this.#user, {
      ...(isShared ? ticketWrite(ticket) : incarnationOf(ticket)),
      decide: (view) => refund(this.#deps.rules, use, view),
    })
    this.#ticketClosed(isShared)
  }

  /** A turn that was not admitted creates no user. */
  recordLater(facts: TurnFacts, { usage, admission = 'none', downgradedBy = null }: RecordTurnOptions): Amount | null {
    const { rules } = this.#deps
    const { provider, model, beganAt: at } = facts
    const settlement = usage === undefined ? undefined : parseSettlement(usage)
    const name = provider === null || model === null ? null : `${provider}/${model}`
    const cost = settlement === undefined ? 0 : (settlement.cost ?? rules.prices.costOf(name, settlement))
    const end: TurnEnd = { facts, at, downgradedBy, admission, tokens: tokensOf(settlement), cost, observed: [] }
    this.recordEnd(end)
    return cost
  }

  recordEnd(end: TurnEnd): void {
    const { journal, rules } = this.#deps
    journal.defer<void>(this.#user, {
      decide: (view) => ({ ...(view.exists ? recordTurn(rules, end, view) : {}), result: () => undefined }),
    })
  }

  async settle(
    ticket: Ticket,
    settlement: Settlement,
    { body, ...options }: IdempotencyOptions & { readonly body?: unknown } = {},
  ): Promise<void> {
    await this.#deps.journal.write<void>(this.#user, {
      ...ticketWrite(ticket),
      ...idempotentWrite<void>(options, { call: 'settle', body }),
      decide: (view) => settle(this.#deps.rules, { ticket, settlement, isShared: true }, view),
    })
    this.#ticketClosed()
  }

  renewLater(ticket: Ticket): void {
    const { journal, rules } = this.#deps
    const { leaseMs } = rules.hold
    journal.defer<void>(this.#user, {
      ...incarnationOf(ticket),
      decide: (view) => renew({ ticket, leaseMs }, view),
    })
  }

  settleLater(command: SettleCommand): void {
    const { ticket, isShared } = command
    this.#deps.journal.defer<void>(this.#user, {
      ...(isShared ? ticketWrite(ticket) : incarnationOf(ticket)),
      decide: (view) => settle(this.#deps.rules, command, view),
    })
    this.#ticketClosed(isShared)
  }

  /** Stores an outcome with its encoded ticket. The repeat of a turn by a user who was blocked since is refused. */
  #idempotentWrite(
    options: IdempotencyOptions,
    { call, body }: AdmissionCall,
  ): ReturnType<typeof idempotentWrite<AdmissionOutcome, Admission>> {
    return idempotentWrite<AdmissionOutcome, Admission>(options, {
      call,
      body,
      encodeResult: (outcome) => encodeOutcome(this.#tickets, outcome),
      replay: (stored, view) =>
        (call === 'turn' ? checkBlock(this.#deps.rules, view) : undefined) ?? decodeOutcome(this.#tickets, stored),
    })
  }

  #publish(outcome: AdmissionOutcome): void {
    const { namespace, id } = this.#user
    publish('admission', { namespace, user: id, outcome: outcome.allowed ? 'allowed' : outcome.reason })
    if (outcome.allowed) publish('activity', { namespace, user: id })
  }

  #ticketClosed(hasRecord = true): void {
    publish('activity', { namespace: this.#user.namespace, user: this.#user.id })
    if (hasRecord) this.#deps.sweeper.onTicketClosed(this.#user)
  }
}

/**
 * A turn whose caller leaves is settled, so its admission waits until it is known whether it was counted: an abort only
 * prevents the decision. Other callers do not wait.
 */
function decideUnlessAborted(
  { signal }: AbortOptions,
  call: AdmissionCall['call'],
  decide: LedgerWrite<AdmissionOutcome>['decide'],
): Pick<LedgerWrite<AdmissionOutcome>, 'signal' | 'decide'> {
  if (call !== 'turn' || signal === undefined) return { signal, decide }
  return {
    signal: undefined,
    decide(view) {
      signal.throwIfAborted()
      return decide(view)
    },
  }
}

function encodeOutcome(tickets: Tickets, outcome: AdmissionOutcome): Admission {
  if (!outcome.allowed) return outcome
  const { ticket, quota, unrecorded } = outcome
  const { model, downgradedBy } = ticket
  const text = tickets.encode(ticket)
  return { allowed: true, ticket: text, ...quota, model, downgradedBy, ...(unrecorded && { unrecorded }) }
}

function decodeOutcome(tickets: Tickets, admission: Admission): AdmissionOutcome {
  if (!admission.allowed) return admission
  const { allowed, ticket, remaining, cap, count, resetAt } = admission
  return {
    allowed,
    ticket: tickets.decode(ticket),
    quota: { remaining, cap, count, resetAt },
    isHeld: false,
    observed: [],
  }
}

function tokensOf(settlement: Settlement | undefined): EndedTokens {
  if (settlement === undefined) return NO_TOKENS
  const { inputTokens, outputTokens, cachedTokens = 0, toolCalls = 0 } = settlement
  return { inputTokens, outputTokens, cachedTokens, toolCalls }
}

/** What an admission outside a turn holds is released after this time, unless it is settled or refunded before. */
const TICKET_LEASE_MS = 900_000

interface TurnGrant {
  readonly writes: AdmissionWrites
  readonly tickets: Tickets
  readonly granted: Granted
  /** Undefined: the admission is in the store. */
  readonly waiting: WaitingAdmission | undefined
  readonly isShared: boolean
  /** The model that the turn asked for, which a ticket of an earlier admission may not know. */
  readonly model: string | null
}

/**
 * The admission of a turn. While its ticket is in no other hands, it can be used only here: its use needs no record.
 * Once its text was read, another process may use it as well. What it holds is renewed until it is closed.
 */
class TurnAdmission implements AdmittedTurn {
  readonly allowed = true
  readonly #writes: AdmissionWrites
  readonly #tickets: Tickets
  readonly #deps: LedgerDeps
  #granted: Granted
  #model: string | null
  #admission: Admitted
  #isShared: boolean
  #cancelRenewal: (() => void) | undefined
  /** While the admission is not in the store, because that failed. */
  readonly #waiting: WaitingAdmission | undefined

  constructor(deps: LedgerDeps, { writes, tickets, granted, waiting, isShared, model: asked }: TurnGrant) {
    const { model, downgradedBy } = granted.ticket
    this.#deps = deps
    this.#writes = writes
    this.#tickets = tickets
    this.#granted = granted
    this.#isShared = isShared
    this.#model = downgradedBy === null ? (asked ?? model) : model
    this.#waiting = waiting
    this.#admission = this.#describe()
    if (granted.isHeld) this.#renewInTime()
  }

  get admission(): Admitted {
    return this.#admission
  }

  get limits(): readonly LimitState[] | undefined {
    return limitsOfGrant(this.#deps.rules, this.#granted)
  }

  async moveTo(model: string, { estimate: asked }: Pick<AdmitTurnOptions, 'estimate'>): Promise<boolean> {
    const { rules } = this.#deps
    const ticket = this.#ticket
    if (this.#waiting !== undefined && !this.#waiting.isRecorded) {
      this.#waiting.ticket = { ...ticket, model }
      this.#model = model
      this.#admission = this.#describe()
      return true
    }
    const estimate = parseEstimate(rules.policy.needsEstimate ? asked : undefined)
    const { leaseMs } = rules.hold
    const moved = await this.#writes.move({ ticket, isShared: this.#isShared, model, estimate, leaseMs })
    if (!moved.allowed) return false
    this.#granted = moved
    this.#model = model
    this.#admission = this.#describe()
    this.#cancelRenewal?.()
    if (moved.isHeld) this.#renewInTime()
    return true
  }

  settle(usage: TokenUsage, turn?: TurnFacts): Amount | null {
    this.#cancelRenewal?.()
    const parsed = parseSettlement(usage)
    const cost = parsed.cost ?? this.#deps.rules.prices.costOf(this.#model, parsed)
    const settlement = cost === null ? parsed : { ...parsed, cost }
    const end = turn && this.#endOf(turn, { tokens: tokensOf(settlement), cost, admission: 'counted' })
    const waiting = this.#waiting
    const inStore = (): void =>
      this.#writes.settleLater({
        ticket: this.#ticket,
        settlement,
        isShared: this.#isShared,
        model: this.#model,
        turn: end,
      })
    const here = (): void => {
      if (waiting !== undefined) waiting.settlement = settlement
      if (end !== undefined) this.#writes.recordEnd(end)
    }
    if (waiting === undefined) inStore()
    else waiting.close({ here, inStore })
    return cost
  }

  refund(turn?: TurnFacts): void {
    this.#cancelRenewal?.()
    const end = turn && this.#endOf(turn, { tokens: NO_TOKENS, cost: 0, admission: 'refunded' })
    const waiting = this.#waiting
    const inStore = (): void => this.#writes.refundLater({ ticket: this.#ticket, isShared: this.#isShared, turn: end })
    const here = (): void => {
      if (waiting !== undefined) this.#deps.unrecorded.drop(waiting)
      if (end !== undefined) this.#writes.recordEnd(end)
    }
    if (waiting === undefined) inStore()
    else waiting.close({ here, inStore })
  }

  get #ticket(): Ticket {
    return this.#waiting?.ticket ?? this.#granted.ticket
  }

  #endOf(facts: TurnFacts, used: Pick<TurnEnd, 'tokens' | 'cost' | 'admission'>): TurnEnd {
    const { at, downgradedBy, weight } = this.#ticket
    const counted = facts.weight === weight ? facts : { ...facts, weight }
    return { facts: counted, at, downgradedBy, observed: this.#granted.observed, ...used }
  }

  #describe(): Admitted {
    const ticket = this.#ticket
    const { quota, unrecorded } = this.#granted
    return new DescribedAdmission(
      { ...quota, model: this.#model, downgradedBy: ticket.downgradedBy, unrecorded },
      () => {
        this.#isShared = true
        return this.#tickets.encode(ticket)
      },
    )
  }

  /** Three times in a lease, so that one failed write releases nothing. */
  #renewInTime(): void {
    const { effects, rules } = this.#deps
    const renewNow = (): void => {
      this.#writes.renewLater(this.#granted.ticket)
      this.#renewInTime()
    }
    this.#cancelRenewal = effects.setTimer(renewNow, rules.hold.leaseMs / 3, { background: true })
  }
}

interface Description extends Omit<Admitted, 'allowed' | 'ticket' | 'unrecorded'> {
  readonly unrecorded: true | undefined
}

/**
 * An admission whose ticket is made when it is first read. All have one getter in common: an object literal with a getter
 * gets a hidden class of its own, which outlives the turn.
 */
class DescribedAdmission implements Admitted {
  static readonly #TICKET: PropertyDescriptor & ThisType<DescribedAdmission> = {
    enumerable: true,
    get() {
      this.#text ??= this.#encode()
      return this.#text
    },
  }

  readonly allowed = true
  declare readonly ticket: string
  readonly remaining: number
  readonly cap: number
  readonly count: number
  readonly resetAt: string | null
  readonly model: string | null
  readonly downgradedBy: string | null
  declare readonly unrecorded?: true
  readonly #encode: () => string
  #text: string | undefined

  constructor({ remaining, cap, count, resetAt, model, downgradedBy, unrecorded }: Description, encode: () => string) {
    this.remaining = remaining
    this.cap = cap
    this.count = count
    this.resetAt = resetAt
    this.model = model
    this.downgradedBy = downgradedBy
    if (unrecorded) this.unrecorded = true
    this.#encode = encode
    Object.defineProperty(this, 'ticket', DescribedAdmission.#TICKET)
  }
}
