/** How a turn ended. `refused`: it was not admitted. */
export type TurnOutcome = 'completed' | 'failed' | 'cancelled' | 'refused'

export const TURN_OUTCOMES: readonly TurnOutcome[] = ['completed', 'failed', 'cancelled', 'refused']

/**
 * What happened in one turn, or in one step of the AI SDK after a tool. It has nothing of what was said.
 *
 * A turn whose answer is cached, and in memory, is recorded as completed in the commit of its admission: its times end there,
 * and a reader who leaves later changes nothing.
 */
export interface TurnRecord {
  /** Rises as text with the instant at which the turn began; the `id` of the turn. */
  readonly id: string
  readonly user: string
  /** When it was admitted, ISO 8601, UTC. */
  readonly at: string
  /** Of the gateway, such as `chat/completions`; `turn` for `user.turn`, `ai-sdk` for calls of the AI SDK. */
  readonly endpoint: string
  readonly session: string | null
  /** The plan that applied. */
  readonly plan: string | null
  /** Null when the turn ended before they were known. */
  readonly provider: string | null
  readonly model: string | null
  /** As the caller wrote it. */
  readonly requestedModel: string | null
  /** The limit that changed the model. */
  readonly downgradedBy: string | null
  /** The calls of upstreams, in their order; at most 16. */
  readonly attempts: readonly TurnAttempt[]
  readonly cache: 'hit' | 'joined' | 'miss' | 'off'
  readonly outcome: TurnOutcome
  /** The error code of a turn that failed or was refused. */
  readonly code: string | null
  /** The limit that refused it. */
  readonly limit: string | null
  /** In turns: what it counted. 0 for a step of a turn, and when it was given back because the upstream failed. */
  readonly weight: number
  /** What it would probably use, as held at its admission. */
  readonly estimate: { readonly inputTokens: number; readonly outputTokens: number }
  /** All of them, cached ones included. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens: number
  /** Decimal text; null: the model has no price. */
  readonly cost: string | null
  /** Time in Purser before the answer began, without the wait for the upstream. */
  readonly overheadMs: number
  /** Until the answer began; null when it did not. */
  readonly firstChunkMs: number | null
  /** Of the turn's own calls, to the end of their answers. */
  readonly upstreamMs: number
  readonly totalMs: number
  /** The sections of the context that were told. Empty when the turn ended before. */
  readonly context: readonly TurnSection[]
  /** The tools of the request that the answer called; at most 32. */
  readonly tools: readonly { readonly name: string; readonly calls: number }[]
  /** Of the gateway. */
  readonly requestId: string | null
  /**
   * Whether the stable prefix of the prompt equals that of the turn before in the same session. Null when the turn ended
   * before it was known, and in records of earlier versions.
   */
  readonly prefix: 'first' | 'same' | 'changed' | null
}

export interface TurnAttempt {
  readonly provider: string
  readonly model: string
  /** The HTTP status; null without an answer. */
  readonly status: number | null
  /** The error code; null for an answer. */
  readonly code: string | null
  readonly ms: number
}

export interface TurnSection {
  readonly section: string
  readonly status: 'fresh' | 'stale' | 'empty' | 'unavailable'
  /** Null if it is unavailable. */
  readonly ageMs: number | null
  readonly tokens: number
  readonly cut: number
}

/** What a turn knows of itself when it ends. The ledger adds what it has counted. */
export interface TurnFacts
  extends Omit<
    TurnRecord,
    'user' | 'at' | 'plan' | 'downgradedBy' | 'weight' | 'inputTokens' | 'outputTokens' | 'cachedTokens' | 'cost'
  > {
  /** When it began, epoch ms. */
  readonly beganAt: number
  /** The weight that was asked for. */
  readonly weight: number
}

/**
 * A turn that has used nothing when it is admitted. It is settled and recorded in the same commit, unless a limit sends it
 * to another model, its user was erased since, or the store is unavailable.
 */
export interface TurnEndRequest {
  readonly facts: TurnFacts
  /** The incarnation of the user that the answer belongs to. */
  readonly incarnation: number
}
