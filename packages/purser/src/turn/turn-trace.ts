import type { Context } from '../context/api.ts'
import { summarizeSections } from '../context/summarize-sections.ts'
import type { Effects } from '../core/effects.ts'
import type { TurnFacts, TurnRecord } from '../ledger/turns/turn-record.ts'
import type { Attempt } from '../openai/chat-model.ts'

/** How a turn ended, for its record. */
export type TurnEnding = Pick<TurnFacts, 'outcome' | 'cache' | 'code' | 'limit' | 'tools'>

/** What a turn ran on. */
export interface TracedTurn
  extends Pick<
    TurnFacts,
    'endpoint' | 'session' | 'provider' | 'model' | 'requestedModel' | 'estimate' | 'requestId' | 'weight' | 'prefix'
  > {
  /** Undefined when the turn ended before it was resolved. */
  readonly context: Context | undefined
}

/** The times of one turn and its calls of upstreams, from its beginning to its end. */
export class TurnTrace {
  readonly id: string
  readonly attempts: Attempt[] = []
  readonly #effects: Effects
  /** Wall clock, epoch ms. */
  readonly #beganAt: number
  /** Monotonic. */
  readonly #startedAt: number
  /** Of the turn's own calls, until their answers began. */
  #waitedMs = 0
  /** Of the turn's own call that answers it, until it began. */
  #answeredMs: number | undefined
  #firstChunkMs: number | null = null
  #overheadMs: number | undefined

  constructor(effects: Effects, id: string) {
    this.id = id
    this.#effects = effects
    this.#beganAt = effects.now()
    this.#startedAt = effects.monotonic()
  }

  get totalMs(): number {
    return this.#effects.monotonic() - this.#startedAt
  }

  /** Time in Purser until the answer began, or until now; waits for upstreams are not included. */
  get overheadMs(): number {
    return this.#overheadMs ?? this.totalMs - this.#waitedMs
  }

  readonly onAttempt = (attempt: Attempt): void => void this.attempts.push(attempt)

  /** The turn has waited for an upstream, until that began to answer or failed. */
  addWait(waitedMs: number): void {
    this.#waitedMs += waitedMs
  }

  /** The answer begins. `isOwnCall`: it comes from the turn's own call, and not from another one or from the cache. */
  beginAnswer(isOwnCall: boolean): void {
    const { totalMs } = this
    this.#overheadMs = totalMs - this.#waitedMs
    this.#firstChunkMs = totalMs
    if (isOwnCall) this.#answeredMs = totalMs
  }

  facts(turn: TracedTurn, ending: TurnEnding): TurnFacts {
    const { context } = turn
    const { totalMs } = this
    // Without spreads, which cost more than everything else at the end of a turn.
    return {
      id: this.id,
      beganAt: this.#beganAt,
      endpoint: turn.endpoint,
      session: turn.session,
      provider: turn.provider,
      model: turn.model,
      requestedModel: turn.requestedModel,
      estimate: turn.estimate,
      requestId: turn.requestId,
      weight: turn.weight,
      prefix: turn.prefix,
      outcome: ending.outcome,
      cache: ending.cache,
      code: ending.code,
      limit: ending.limit,
      tools: ending.tools,
      attempts: this.attempts,
      overheadMs: this.#overheadMs ?? totalMs - this.#waitedMs,
      firstChunkMs: this.#firstChunkMs,
      upstreamMs: this.#waitedMs + (this.#answeredMs === undefined ? 0 : totalMs - this.#answeredMs),
      totalMs,
      context: context === undefined ? NO_SECTIONS : summarizeSections(context, this.#effects.now()),
    }
  }
}

const NO_SECTIONS: TurnRecord['context'] = []
