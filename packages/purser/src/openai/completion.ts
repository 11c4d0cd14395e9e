import { isObject } from '../core/validate.ts'
import type { ChatChunk, ChatCompletion, ChunkChoice, CompletionChoice, FinishReason, Usage } from './chat.ts'

type Fields = Record<string, unknown>

/**
 * A completion as a stream: for each choice a chunk with its whole message and one with its finish reason, then one with
 * the usage, if there is any. `mergeChunks` of these chunks gives the same completion.
 */
export function toChunks(completion: ChatCompletion): ChatChunk[] {
  const { choices, usage, object: _, ...shared } = completion
  const createChunk = (chunkChoices: ChunkChoice[], fields?: Fields): ChatChunk => ({
    ...shared,
    object: 'chat.completion.chunk',
    choices: chunkChoices,
    ...fields,
  })
  const chunks: ChatChunk[] = []
  for (const { message, finish_reason, ...rest } of choices) {
    chunks.push(createChunk([{ ...rest, delta: toDelta(message), finish_reason: null }]))
    chunks.push(createChunk([{ index: rest.index, delta: {}, finish_reason }]))
  }
  if ((usage ?? null) !== null || chunks.length === 0) chunks.push(createChunk([], { usage: usage ?? null }))
  return chunks
}

function toDelta(message: CompletionChoice['message']): ChunkChoice['delta'] {
  if (!Array.isArray(message.tool_calls)) return { ...message }
  return { ...message, tool_calls: message.tool_calls.map((call, index) => ({ ...(call as Fields), index })) }
}

/** Why the answer ended: `stop` only if every choice did; null if it has not ended, or was cut. */
export function finishReasonOf(answer: ChatCompletion | ChatChunk): FinishReason | null {
  let finish: FinishReason | null = null
  for (const choice of answer.choices ?? []) {
    const reason = choice.finish_reason ?? null
    if (reason !== null && (finish === null || finish === 'stop')) finish = reason
  }
  return finish
}

/** The usage that a completion or a chunk reports; undefined if it reports none. Its fields may have any value. */
export function usageOf({ usage }: { readonly usage?: unknown }): Usage | undefined {
  const isUsage = isObject(usage) && Object.values(usage).some((value) => typeof value === 'number')
  return isUsage ? (usage as unknown as Usage) : undefined
}

/** What is counted of a usage. */
export type TokenCounts = Pick<Usage, 'prompt_tokens' | 'completion_tokens'> & {
  readonly prompt_tokens_details?: unknown
}

/** More tokens than any answer can have: a count beyond it is a mistake of the provider. */
const MAX_TOKENS = 1_000_000_000_000

/** A count of tokens; undefined if the provider reported none, or nonsense. */
export function tokenCountOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TOKENS
    ? (value as number)
    : undefined
}

/** Input tokens that the upstream took from its prompt cache; undefined if it does not say. */
export function cachedTokensOf(usage: { readonly prompt_tokens_details?: unknown }): number | undefined {
  return detailOf(usage, 'cached_tokens')
}

/** Input tokens that the provider has written to its prompt cache, which some report in this field. */
export function cacheWriteTokensOf(usage: { readonly prompt_tokens_details?: unknown }): number | undefined {
  return detailOf(usage, 'cache_write_tokens')
}

function detailOf(usage: { readonly prompt_tokens_details?: unknown }, name: string): number | undefined {
  const details = usage.prompt_tokens_details
  return isObject(details) ? tokenCountOf(details[name]) : undefined
}
