import type { ResolvedContext } from '../context/api.ts'
import { isObject } from '../core/validate.ts'
import type { Waiter } from '../journal/api.ts'
import type { AdmitTurnOptions, AdmittedTurn, TokenUsage } from '../ledger/api.ts'
import type { Admission, Refused } from '../ledger/decide/admission.ts'
import type { Amount } from '../ledger/limits/amount.ts'
import type { TurnEndRequest, TurnFacts, TurnRecord } from '../ledger/turns/turn-record.ts'
import type { Settings } from '../runtime/api.ts'
import type { UserModules } from './deps.ts'
import type { TurnOptions } from './options.ts'
import type { TurnRequest } from './turn-request.ts'

/** What is known of a turn before its admission. */
export interface KnownBefore {
  readonly context: ResolvedContext
  /** How the turn ends if it is admitted, because its answer is cached. */
  readonly end: (() => TurnEndRequest) | undefined
}

/**
 * What pays for a turn: its admission, which is asked for first and settled or refunded once at the end. A repeat under an
 * idempotency key has the admission of the first turn, and pays itself only if it has to call the model.
 */
export class TurnPayment implements Waiter<Refused | AdmittedTurn> {
  readonly #modules: UserModules
  readonly #request: TurnRequest
  readonly #options: TurnOptions
  #admitted: AdmittedTurn | undefined
  /** The admission that is settled or refunded. */
  #payment: AdmittedTurn | undefined
  #isRepeat = false
  #hasEnded = false
  /** What the turn will probably use, as of its admission. */
  #estimate: TurnRecord['estimate'] = NO_ESTIMATE
  /** While it is not known whether the turn is counted. */
  #caller: Waiter<Admission> | undefined
  /** Called when that is known, although the caller has left. */
  #onKnown: (() => void) | undefined

  constructor(modules: UserModules, request: TurnRequest, options: TurnOptions) {
    this.#modules = modules
    this.#request = request
    this.#options = options
  }

  get admitted(): AdmittedTurn | undefined {
    return this.#admitted
  }

  get estimate(): TurnRecord['estimate'] {
    return this.#estimate
  }

  /** Whether the turn was admitted before, under the same idempotency key. */
  get isRepeat(): boolean {
    return this.#isRepeat
  }

  /** Whether the turn was settled with its admission. */
  get isSettled(): boolean {
    return this.#admitted?.isSettled === true
  }

  /** Rejects with the reason of `leave` when the caller leaves first. */
  admit(settings: Settings | undefined, known?: KnownBefore): Promise<Admission> {
    const { cost, ticket, signal } = this.#options
    return new Promise((resolve, reject) => {
      this.#caller = { resolve, reject }
      const model = nameOfModel(settings)
      const estimate = this.#estimateOn(settings, known?.context)
      const end = known?.end?.()
      this.#modules.ledger.admitTurn({ cost, ticket, model, estimate, signal, end, ...this.#repeatable() }, this)
    })
  }

  /** What makes the admission repeatable under an idempotency key. */
  #repeatable(): Pick<AdmitTurnOptions, 'idempotencyKey' | 'request' | 'onReplay'> | undefined {
    const { idempotencyKey, session, override, mode } = this.#options
    if (idempotencyKey === undefined) return undefined
    const onReplay = (): void => {
      this.#isRepeat = true
    }
    return { idempotencyKey, request: [this.#request, session, override, mode], onReplay }
  }

  resolve(outcome: Refused | AdmittedTurn): void {
    const admission = outcome.allowed ? outcome.admission : outcome
    if (outcome.allowed) {
      this.#admitted = outcome
      if (!this.#isRepeat) this.#payment = outcome
    }
    this.#takeCaller()?.resolve(admission)
    this.#onKnown?.()
  }

  reject(error: unknown): void {
    this.#takeCaller()?.reject(error)
    this.#onKnown?.()
  }

  /** The caller has left. What was asked for may be counted nevertheless. */
  leave(reason: unknown): void {
    this.#caller?.reject(reason)
  }

  /** Runs `run` as soon as it is known whether the turn is counted. */
  whenKnown(run: () => void): void {
    if (this.#caller === undefined) run()
    else this.#onKnown = run
  }

  #takeCaller(): Waiter<Admission> | undefined {
    const caller = this.#caller
    this.#caller = undefined
    return caller
  }

  /** Pays for a repeat that has to call the model, because the first answer is gone. Rejects when that is refused. */
  async admitAgain(settings: Settings | undefined, signal: TurnOptions['signal']): Promise<void> {
    const { cost } = this.#options
    const model = nameOfModel(settings)
    const estimate = this.#estimateOn(settings)
    const admitted = await new Promise<Refused | AdmittedTurn>((resolve, reject) =>
      this.#modules.ledger.admitTurn({ cost, model, estimate, signal }, { resolve, reject }),
    )
    if (!admitted.allowed) throw new AdmissionRefused(admitted)
    this.#admitted = admitted
    if (this.#hasEnded) admitted.refund()
    else this.#payment = admitted
  }

  /** Moves the admission to another model. False: a limit refuses that. */
  async moveTo(settings: Settings): Promise<boolean> {
    const model = nameOfModel(settings)
    if (model === undefined || this.#payment === undefined) return true
    return this.#payment.moveTo(model, { estimate: this.#estimateOn(settings) })
  }

  /**
   * A turn under an idempotency key that got the first answer is recorded, but counts nothing.
   *
   * @returns the cost, as `AdmittedTurn.settle`; undefined: nothing was counted
   */
  settle(usage: TokenUsage, facts: TurnFacts): Amount | null | undefined {
    this.#hasEnded = true
    if (this.#payment !== undefined) return this.#payment.settle(usage, facts)
    this.#modules.ledger.recordTurn(facts)
    return undefined
  }

  refund(facts: TurnFacts): void {
    this.#hasEnded = true
    if (this.#payment === undefined) this.#modules.ledger.recordTurn(facts)
    else this.#payment.refund(facts)
  }

  /** What the turn will probably use with these settings. */
  #estimateOn(settings: Settings | undefined, context = this.#modules.context.peek()): TurnRecord['estimate'] {
    const { maxOutputTokens } = (settings?.parameters ?? {}) as { readonly maxOutputTokens?: unknown }
    const { tokens = 0 } = context ?? {}
    const { body } = this.#request
    // In another format, everything is input.
    const request = isObject(body) ? { ...body, messages: body, tools: undefined } : this.#request
    this.#estimate = this.#modules.ledger.estimate(request, { contextTokens: tokens, maxOutputTokens })
    return this.#estimate
  }
}

const NO_ESTIMATE: TurnRecord['estimate'] = { inputTokens: 0, outputTokens: 0 }

function nameOfModel(settings: Pick<Settings, 'provider' | 'model'> | undefined): string | undefined {
  if (settings === undefined || settings.provider === null || settings.model === null) return undefined
  return `${settings.provider}/${settings.model}`
}

/** A repeat had to be admitted again, and was refused. */
export class AdmissionRefused extends Error {
  readonly admission: Refused

  constructor(admission: Refused) {
    super('The turn was not admitted again.')
    this.admission = admission
  }
}
