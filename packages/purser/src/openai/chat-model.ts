import type { AbortSignalLike } from '../core/call-signal.ts'
import type { ChatRequest, Usage } from './chat.ts'
import type { BatchSource } from './chunk-batches.ts'

/** One model of one provider with one user's credentials: the driven port that turns call. */
export interface ChatModel {
  readonly provider: string
  readonly model: string
  /** Identifies what answers: a stored answer of another target is not served. Default: the provider's name. */
  readonly target?: string | undefined
  /**
   * Resolves once the upstream begins to answer: with the whole completion if the request does not stream, otherwise
   * with the chunks as they arrive. A streamed answer always contains the chunk with the usage, whether or not the
   * request asks for it.
   *
   * A failure before that rejects with `upstream_failed`, `upstream_auth`, `upstream_rejected`, `upstream_rate_limited`
   * or `upstream_timeout` (with `details.retryAfterMs` where known); a later one is thrown by the iterator. An aborted
   * `signal` stops the upstream call at once and rejects or throws with `signal.reason`.
   *
   * @param request complete: with model, context, user field and parameters
   */
  chat(request: ChatRequest, call: ChatCall): Promise<ChatAnswer>
}

/** One call of an upstream. */
export interface Attempt {
  readonly provider: string
  readonly model: string
  /** Null without an answer. */
  readonly status: number | null
  /** The error code; null for an answer. */
  readonly code: string | null
  readonly ms: number
}

export interface ChatCall {
  readonly signal: AbortSignalLike
  /** Time until the first chunk or the whole completion, ms. */
  readonly firstChunkTimeoutMs: number
  /** Time between two chunks or comments, ms. */
  readonly idleTimeoutMs: number
  /** Called when an attempt has begun to be answered, or has failed. */
  readonly onAttempt?: ((attempt: Attempt) => void) | undefined
}

/**
 * Texts are JSON in the form that OpenAI documents, otherwise as the upstream wrote it: it is parsed only where its
 * content is needed.
 */
export type ChatAnswer =
  /** `usage`: as the text has it, where it was read already. */
  | { readonly kind: 'completion'; readonly text: string; readonly usage?: Usage | undefined }
  /**
   * Each text is one line. Ends after the last chunk of a complete answer, without `[DONE]`; throws if the answer was cut. After the first
   * chunk there may be comments (`isComment`): signs of life of an upstream that has no chunk yet.
   */
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<string> & BatchSource }
