import type { ChatRequest } from './chat.ts'

/**
 * What a turn talks to: one model of one provider under one user's key.
 *
 * `chat` resolves once the upstream has begun to answer: with the whole completion when the request does not
 * stream, else with the chunks as they come. A failure before that rejects with one of `upstream_failed`,
 * `upstream_auth`, `upstream_rejected`, `upstream_rate_limited`, `upstream_timeout` (with `details.retryAfterMs`
 * where known); a failure later is thrown by the iterator. An aborted `signal` stops the upstream call at once,
 * and rejects or throws with `signal.reason`.
 *
 * `request` is complete: model, context, user field and parameters are in place. A streamed answer always asks the
 * upstream for usage and passes that chunk on like any other: the turn needs it, and takes it out of what a client
 * sees who did not ask for it.
 */
export interface ChatModel {
  readonly provider: string
  readonly model: string
  chat(request: ChatRequest, call: ChatCall): Promise<ChatAnswer>
}

export interface ChatCall {
  readonly signal: AbortSignal
  /** Until the first chunk, or the whole completion, ms. */
  readonly firstChunkTimeoutMs: number
  /** Between two chunks, ms. */
  readonly idleTimeoutMs: number
}

/** Texts are JSON exactly as the upstream wrote them: nobody parses what nobody reads. */
export type ChatAnswer =
  | { readonly kind: 'completion'; readonly text: string }
  /** Ends after the last chunk of a clean answer, `[DONE]` not included; throws when the answer was cut. */
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<string> }
