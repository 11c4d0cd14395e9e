import type { Context } from '../context/api.ts'
import { PurserError } from '../errors.ts'
import type { TokenUsage } from '../ledger/api.ts'
import type { Refused } from '../ledger/decide/admission.ts'
import { DAILY } from '../ledger/limits/rule.ts'
import type { TurnAdmissionUse } from '../ledger/turns/stored-turn.ts'
import type { TurnFacts, TurnRecord } from '../ledger/turns/turn-record.ts'
import type { TurnDeps, UserModules } from './deps.ts'
import { publishTurn } from './publish-turn.ts'
import { type TurnEnding, TurnTrace } from './turn-trace.ts'

/** A model call of the application's own, which the AI SDK admits and settles itself. */
export interface TracedCall {
  /** The `provider/model` that is called. */
  readonly model: string
  /** The limit that sent it there. */
  readonly downgradedBy: string | null
  /** In turns; 0 for a step after a tool. */
  readonly weight: number
  readonly estimate: TurnRecord['estimate']
  readonly session: string | null
}

export interface CallEnding {
  readonly outcome: 'completed' | 'failed' | 'cancelled'
  /** What it used; undefined: no model answered. */
  readonly usage?: TokenUsage | undefined
  /** The tools of the call that the answer called. */
  readonly tools?: TurnRecord['tools'] | undefined
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
  #context: Context | undefined

  constructor(deps: TurnDeps, modules: UserModules, call: TracedCall) {
    this.#deps = deps
    this.#modules = modules
    this.#call = call
    this.#trace = new TurnTrace(deps.effects, deps.nextTurnId())
  }

  setContext(context: Context): void {
    this.#context = context
  }

  /** The model begins to answer. */
  beginAnswer(): void {
    this.#trace.beginAnswer(true)
  }

  refuse({ reason, limit }: Pick<Refused, 'reason' | 'limit'>): void {
    const code = reason === 'blocked' ? 'user_blocked' : 'cap_reached'
    const refusedBy = reason === 'daily_cap' ? DAILY : (limit?.name ?? null)
    this.#record(this.#facts({ outcome: 'refused', code, limit: refusedBy, tools: [] }), { admission: 'none' })
  }

  end({ outcome, usage, tools = [], error, admission }: CallEnding): void {
    const failure = PurserError.is(error) ? error.code : 'upstream_failed'
    const code = outcome === 'failed' ? failure : null
    this.#record(this.#facts({ outcome, code, limit: null, tools }), { usage, admission })
  }

  #facts(ending: Omit<TurnEnding, 'cache'>): TurnFacts {
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
      context: this.#context,
      prefix: null,
    }
    return this.#trace.facts(turn, { ...ending, cache: 'off' })
  }

  #record(facts: TurnFacts, { usage, admission }: Pick<CallEnding, 'usage' | 'admission'>): void {
    const { downgradedBy } = this.#call
    const cost = this.#modules.ledger.recordTurn(facts, { usage, admission, downgradedBy })
    publishTurn({ namespace: this.#deps.namespace, facts, usage, cost, attempts: [], prefix: null })
  }
}
