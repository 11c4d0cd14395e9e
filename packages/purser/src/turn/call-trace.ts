import { PurserError } from '../errors.ts'
import type { TokenUsage } from '../ledger/api.ts'
import type { Refused } from '../ledger/decide/admission.ts'
import { DAILY } from '../ledger/limits/rule.ts'
import type { TurnAdmissionUse } from '../ledger/turns/stored-turn.ts'
import type { TurnFacts, TurnRecord } from '../ledger/turns/turn-record.ts'
import type { TurnDeps, UserModules } from './deps.ts'
import { publishTurn } from './publish-turn.ts'
import { TurnTrace } from './turn-trace.ts'

/** A model call of the application's own, which the AI SDK admits and settles itself. */
export interface TracedCall {
  /** `provider/model`. */
  readonly model: string
  /** In turns; 0 for a step after a tool. */
  readonly weight: number
  readonly estimate: TurnRecord['estimate']
  readonly session: string | null
}

export interface CallEnding {
  readonly outcome: 'completed' | 'failed' | 'cancelled'
  /** What it used; undefined: no model answered. */
  readonly usage?: TokenUsage | undefined
  /** Why it failed. */
  readonly error?: unknown
  readonly admission: TurnAdmissionUse
}

/** Records one call of the AI SDK as turns are. */
export class CallTrace {
  readonly #deps: TurnDeps
  readonly #modules: UserModules
  readonly #call: TracedCall
  readonly #trace: TurnTrace

  constructor(deps: TurnDeps, modules: UserModules, call: TracedCall) {
    this.#deps = deps
    this.#modules = modules
    this.#call = call
    this.#trace = new TurnTrace(deps.effects, deps.nextTurnId())
  }

  /** The model begins to answer. */
  beginAnswer(): void {
    this.#trace.beginAnswer(true)
  }

  refuse({ reason, limit }: Pick<Refused, 'reason' | 'limit'>): void {
    const code = reason === 'blocked' ? 'user_blocked' : 'cap_reached'
    const refusedBy = reason === 'daily_cap' ? DAILY : (limit?.name ?? null)
    this.#record(this.#facts('refused', code, refusedBy), { admission: 'none' })
  }

  end({ outcome, usage, error, admission }: CallEnding): void {
    const failure = PurserError.is(error) ? error.code : 'upstream_failed'
    this.#record(this.#facts(outcome, outcome === 'failed' ? failure : null, null), { usage, admission })
  }

  #facts(outcome: TurnFacts['outcome'], code: string | null, limit: string | null): TurnFacts {
    const { model, weight, estimate, session } = this.#call
    const slash = model.indexOf('/')
    const turn = {
      endpoint: 'ai-sdk',
      session,
      provider: model.slice(0, slash),
      model: model.slice(slash + 1),
      requestedModel: null,
      estimate,
      requestId: null,
      weight,
      context: undefined,
    }
    return this.#trace.facts(turn, { outcome, cache: 'off', code, limit, tools: [] })
  }

  #record(facts: TurnFacts, { usage, admission }: Pick<CallEnding, 'usage' | 'admission'>): void {
    const cost = this.#modules.ledger.recordTurn(facts, { usage, admission })
    publishTurn({ namespace: this.#deps.namespace, facts, usage, cost, attempts: [], prefix: null })
  }
}
