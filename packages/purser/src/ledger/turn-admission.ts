import type { RatedLimit } from '../openai/rate-limit-headers.ts'
import type { AdmissionWrites } from './admission-writes.ts'
import type { AdmitTurnOptions, AdmittedTurn, TokenUsage } from './api.ts'
import { type Admitted, type Granted, parseEstimate, parseSettlement, ratesOfGrant } from './decide/admission.ts'
import type { LedgerDeps } from './deps.ts'
import { DescribedAdmission } from './described-admission.ts'
import type { RenewableLease } from './lease-renewals.ts'
import type { Amount } from './limits/amount.ts'
import type { Settlement } from './limits/settlement.ts'
import type { Ticket, Tickets } from './tickets.ts'
import { NO_TOKENS, type TurnEnd, tokensOf } from './turns/record-turn.ts'
import type { TurnFacts } from './turns/turn-record.ts'
import type { WaitingAdmission } from './unrecorded-admissions.ts'

export interface TurnGrant {
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
export class TurnAdmission implements AdmittedTurn, RenewableLease {
  readonly allowed = true
  // As a lease that is renewed (`lease-renewals.ts`).
  isQueued = false
  previous: RenewableLease | undefined
  next: RenewableLease | undefined
  renewAt = 0
  readonly #writes: AdmissionWrites
  readonly #tickets: Tickets
  readonly #deps: LedgerDeps
  #granted: Granted
  #model: string | null
  #admission: Admitted
  #isShared: boolean
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
    if (granted.isHeld) deps.renewals.add(this)
  }

  get admission(): Admitted {
    return this.#admission
  }

  get rates(): readonly RatedLimit[] | undefined {
    return ratesOfGrant(this.#deps.rules, this.#granted)
  }

  get incarnation(): number {
    return this.#granted.ticket.incarnation
  }

  get isSettled(): boolean {
    return this.#granted.isSettled === true
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
    this.#deps.renewals.remove(this)
    if (moved.isHeld) this.#deps.renewals.add(this)
    return true
  }

  settle(usage: TokenUsage, turn?: TurnFacts): Amount | null {
    if (this.isSettled) return this.#closeTicket()
    this.#deps.renewals.remove(this)
    const parsed = parseSettlement(usage)
    const cost = parsed.cost ?? this.#deps.rules.prices.costOf(this.#model, parsed)
    const settlement = cost === null ? parsed : { ...parsed, cost }
    const end = turn && this.#endOf(turn, { tokens: tokensOf(settlement), cost, admission: 'counted' })
    const waiting = this.#waiting
    if (waiting === undefined) this.#settleInStore(settlement, end)
    else
      waiting.close({
        here: () => {
          waiting.settlement = settlement
          if (end !== undefined) this.#writes.recordEnd(end)
        },
        inStore: () => this.#settleInStore(settlement, end),
      })
    return cost
  }

  #settleInStore(settlement: Settlement, turn: TurnEnd | undefined): void {
    const ticket = this.#ticket
    this.#writes.settleLater({ ticket, settlement, isShared: this.#isShared, model: this.#model, turn })
  }

  refund(turn?: TurnFacts): void {
    if (this.isSettled) {
      this.#closeTicket()
      return
    }
    this.#deps.renewals.remove(this)
    const end = turn && this.#endOf(turn, { tokens: NO_TOKENS, cost: 0, admission: 'refunded' })
    const waiting = this.#waiting
    if (waiting === undefined) this.#refundInStore(end)
    else
      waiting.close({
        here: () => {
          this.#deps.unrecorded.drop(waiting)
          if (end !== undefined) this.#writes.recordEnd(end)
        },
        inStore: () => this.#refundInStore(end),
      })
  }

  #refundInStore(turn: TurnEnd | undefined): void {
    this.#writes.refundLater({ ticket: this.#ticket, isShared: this.#isShared, turn })
  }

  /** Nothing is left to count, but a ticket in other hands must not be used any more. Returns the cost. */
  #closeTicket(): Amount {
    if (this.#isShared) this.#settleInStore({ inputTokens: 0, outputTokens: 0, cost: 0 }, undefined)
    return 0
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

  renew(): void {
    this.#writes.renewLater(this.#granted.ticket)
  }
}
