import type { AbortOptions } from '../core/abort.ts'
import { hasSubscribers, publish } from '../core/diagnostics.ts'
import type { Subject } from '../core/subject.ts'
import type { Waiter } from '../journal/api.ts'
import { decodeOutcome, encodeOutcome } from './admission-outcome.ts'
import type { AdmitOptions, IdempotencyOptions, RecordTurnOptions } from './api.ts'
import {
  type Admission,
  type AdmissionOutcome,
  type AdmitCommand,
  admit,
  checkBlock,
  claim,
  type Granted,
  type MoveCommand,
  move,
  parseEstimate,
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
import type { Settlement } from './limits/settlement.ts'
import type { LedgerDecision, LedgerView, LedgerWrite } from './state.ts'
import { incarnationOf, type Ticket, type Tickets, ticketWrite } from './tickets.ts'
import { recordTurn, type TurnEnd, tokensOf } from './turns/record-turn.ts'
import type { TurnEndRequest, TurnFacts } from './turns/turn-record.ts'
import { idempotentWrite } from './write-options.ts'

/** What identifies an admission under an idempotency key. */
interface AdmissionCall {
  readonly call: 'admit' | 'claim' | 'turn'
  readonly body: unknown
}

export interface AdmissionAsk extends AdmissionCall {
  /** Whether the ticket pays for the turn that asks, and for no other. */
  readonly claimed: boolean
  readonly estimate: AdmitOptions['estimate']
  /** How the turn ends with its admission, if it does. */
  readonly end?: TurnEndRequest | undefined
}

/** The writes of one user's admissions, with parsed arguments. */
export class AdmissionWrites {
  readonly #deps: LedgerDeps
  readonly #user: Subject
  readonly #tickets: Tickets

  constructor(deps: LedgerDeps, user: Subject, tickets: Tickets) {
    this.#deps = deps
    this.#user = user
    this.#tickets = tickets
  }

  /** While the store fails, admissions may be allowed without it. Throws for arguments that are not valid. */
  admit(
    options: Omit<AdmitOptions, 'estimate'>,
    { call, body, claimed, estimate, end }: AdmissionAsk,
    waiter: Waiter<AdmissionOutcome>,
  ): void {
    const { journal, rules, effects, unrecorded } = this.#deps
    const weight = parseWeight(options.cost)
    const command: AdmitCommand = {
      weight,
      model: options.model ?? null,
      estimate: parseEstimate(estimate),
      ticketId: effects.randomId(),
      claimed,
      end,
      leaseMs: claimed ? rules.hold.leaseMs : TICKET_LEASE_MS,
    }
    if (unrecorded.isStoreDown) {
      waiter.resolve(this.#admitUnrecorded(command))
      return
    }
    const decide = (view: LedgerView): LedgerDecision<AdmissionOutcome> => admit(rules, command, view)
    const write = this.#createWrite(options, { call, body: { cost: weight, asked: body } }, decide)
    journal.submit(this.#user, write, {
      resolve: (outcome) => {
        this.#onAdmitted(outcome, weight)
        waiter.resolve(outcome)
      },
      reject: (error) => this.#onFailed(command, error, waiter),
    })
  }

  #onAdmitted(outcome: AdmissionOutcome, weight: number): void {
    const { namespace, id } = this.#user
    if (hasSubscribers('admission'))
      publish('admission', { namespace, user: id, outcome: outcome.allowed ? 'allowed' : outcome.reason })
    if (!outcome.allowed) return
    this.#publishActivity()
    if (weight > 0 && outcome.quota.count === weight) this.#deps.sweeper.onWindowOpened(this.#user)
  }

  #onFailed(command: AdmitCommand, error: unknown, waiter: Waiter<AdmissionOutcome>): void {
    let granted: Granted
    try {
      granted = this.#admitUnrecorded(command, error)
    } catch (cause) {
      waiter.reject(cause)
      return
    }
    waiter.resolve(granted)
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

  claim(
    options: IdempotencyOptions,
    { ticket, ...call }: AdmissionCall & { readonly ticket: Ticket },
    waiter: Waiter<AdmissionOutcome>,
  ): void {
    const write = this.#createWrite(options, call, (view) => claim(this.#deps.rules, ticket, view))
    this.#deps.journal.submit(this.#user, { ...ticketWrite(ticket), ...write }, waiter)
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
    if (isRefunded) this.#onClosed(true)
    return isRefunded
  }

  refundLater(use: TicketInUse): void {
    const { ticket, isShared } = use
    this.#deps.journal.defer<boolean>(this.#user, {
      ...(isShared ? ticketWrite(ticket) : incarnationOf(ticket)),
      decide: (view) => refund(this.#deps.rules, use, view),
    })
    this.#onClosed(isShared)
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
    this.#onClosed(true)
  }

  settleLater(command: SettleCommand): void {
    const { ticket, isShared } = command
    this.#deps.journal.defer<void>(this.#user, {
      ...(isShared ? ticketWrite(ticket) : incarnationOf(ticket)),
      decide: (view) => settle(this.#deps.rules, command, view),
    })
    this.#onClosed(isShared)
  }

  renewLater(ticket: Ticket): void {
    const { journal, rules } = this.#deps
    const { leaseMs } = rules.hold
    journal.defer<void>(this.#user, {
      ...incarnationOf(ticket),
      decide: (view) => renew({ ticket, leaseMs }, view),
    })
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

  #createWrite(
    options: IdempotencyOptions,
    call: AdmissionCall,
    decide: LedgerWrite<AdmissionOutcome>['decide'],
  ): LedgerWrite<AdmissionOutcome, Admission> {
    const write = decideUnlessAborted(options, call.call, decide)
    const isRepeatable = options.idempotencyKey !== undefined || options.onReplay !== undefined
    return isRepeatable ? { ...this.#idempotentWrite(options, call), ...write } : write
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

  /** `hasRecord`: whether its use has one, which is removed some time later. */
  #onClosed(hasRecord: boolean): void {
    this.#publishActivity()
    if (hasRecord) this.#deps.sweeper.onTicketClosed(this.#user)
  }

  #publishActivity(): void {
    if (hasSubscribers('activity')) publish('activity', { namespace: this.#user.namespace, user: this.#user.id })
  }
}

/** What an admission outside a turn holds is released after this time, unless it is settled or refunded before. */
const TICKET_LEASE_MS = 900_000

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
