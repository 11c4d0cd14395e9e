import type { AbortSignalLike } from '../core/call-signal.ts'
import type { ChatChunk, ChatRequest, Usage } from '../openai/chat.ts'
import { type TokenCounts, tokenCountOf, usageOf } from '../openai/completion.ts'
import { estimateRequestTokens, textBytesOfChunk, tokensOfDelta } from '../openai/estimate-tokens.ts'
import { hasUsage } from '../openai/sniff-chunk.ts'

/**
 * The model call that a turn has made. It goes on for equal turns that share it when the reader of this one has left, and
 * this turn settles all of it at its end.
 */
export class OwnModelCall {
  readonly #signal: AbortSignalLike
  #isOver = false
  #onEnd: ((texts: readonly string[]) => void) | undefined

  /** `signal`: aborted when nothing reads the call any more. */
  constructor(signal: AbortSignalLike) {
    this.#signal = signal
  }

  /** Whether others read it. For a turn whose own reader has left. */
  get goesOn(): boolean {
    return !this.#isOver && !this.#signal.aborted
  }

  /** Calls `run` with the tokens of the whole call when that ends. */
  whenUsed(request: Pick<ChatRequest, 'messages'>, run: (used: TokenCounts) => void): void {
    this.#onEnd = (texts) => run(countTexts(request, texts))
  }

  /** `texts`: what the model wrote. */
  end(texts: readonly string[]): void {
    this.#isOver = true
    this.#onEnd?.(texts)
  }
}

/** A report behind all text is final; otherwise the answer was cut, and at least what it had by then is counted. */
function countTexts(request: Pick<ChatRequest, 'messages'>, texts: readonly string[]): TokenCounts {
  let usage: Usage | undefined
  let deltaTokens = 0
  let hasTextBehind = false
  for (const text of texts) {
    const tokens = tokensOfDelta(textBytesOfChunk(text))
    const report = hasUsage(text) ? usageOf(JSON.parse(text) as ChatChunk) : undefined
    usage = report ?? usage
    deltaTokens += tokens
    hasTextBehind = report === undefined && (hasTextBehind || tokens > 0)
  }
  const reported = tokenCountOf(usage?.completion_tokens) ?? 0
  return {
    prompt_tokens: tokenCountOf(usage?.prompt_tokens) ?? estimateRequestTokens(request),
    completion_tokens: usage !== undefined && !hasTextBehind ? reported : Math.max(reported, deltaTokens),
    prompt_tokens_details: usage?.prompt_tokens_details,
  }
}
