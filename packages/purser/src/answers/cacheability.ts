import { parseLargeJson } from '../core/parse-json-in-steps.ts'
import type { ChatChunk, ChatCompletion, ChunkChoice, Usage } from '../openai/chat.ts'
import { tokenCountOf } from '../openai/completion.ts'

export interface Cacheability {
  /** The answer is complete, clean and not empty, so it may be served again. */
  readonly cacheable: boolean
  /** Tokens it took to make, as far as the upstream reported them. */
  readonly tokens: number
}

/** Examines one streamed answer chunk by chunk. */
export interface CacheabilityCheck {
  push(chunk: string): void
  result(): Cacheability
}

interface Choice {
  finish: string | null
  hasText: boolean
}

/**
 * An answer is cacheable if every choice ended with `stop` and has text. Answers that were cut (`length`), filtered,
 * refused, empty or carry an error are not; nor are tool calls, which are actions. The caller makes sure that the stream
 * has ended before it asks for the result.
 */
export function createCacheabilityCheck(choicesAsked: number): CacheabilityCheck {
  const choices = new Map<number, Choice>()
  let isClean = true
  let tokens = 0

  function examine(chunk: ChatChunk): void {
    if (chunk.error !== undefined && chunk.error !== null) isClean = false
    tokens = tokensOf(chunk.usage) ?? tokens
    for (const choice of chunk.choices ?? []) examineChoice(choice)
  }

  function examineChoice({ index, delta, finish_reason }: ChunkChoice): void {
    const choice = choices.get(index) ?? { finish: null, hasText: false }
    choices.set(index, choice)
    choice.finish = finish_reason ?? choice.finish
    if (delta === undefined || delta === null) return
    if (hasCalls(delta) || isRefusal(delta)) isClean = false
    if (hasText(delta.content)) choice.hasText = true
  }

  return {
    push(text) {
      if (!isClean) return
      try {
        examine(JSON.parse(text) as ChatChunk)
      } catch {
        isClean = false
      }
    },
    result() {
      const all = [...choices.values()]
      const isComplete = all.length >= Math.max(1, choicesAsked) && all.every(isGood)
      return { cacheable: isClean && isComplete, tokens }
    },
  }
}

export async function checkCompletion(text: string, choicesAsked: number): Promise<Cacheability> {
  try {
    const completion = (await parseLargeJson(text, JSON.parse)) as ChatCompletion
    const isClean = completion.error === undefined || completion.error === null
    const all = completion.choices.map(({ message, finish_reason }) => ({
      finish: hasCalls(message) || isRefusal(message) ? null : finish_reason,
      hasText: hasText(message.content),
    }))
    const isComplete = all.length >= Math.max(1, choicesAsked) && all.every(isGood)
    return { cacheable: isClean && isComplete, tokens: tokensOf(completion.usage) ?? 0 }
  } catch {
    return { cacheable: false, tokens: 0 }
  }
}

function isGood({ finish, hasText }: Choice): boolean {
  return finish === 'stop' && hasText
}

interface Message {
  readonly tool_calls?: unknown
  readonly function_call?: unknown
  readonly refusal?: unknown
}

function hasCalls({ tool_calls, function_call }: Message): boolean {
  const hasToolCalls = Array.isArray(tool_calls)
    ? tool_calls.length > 0
    : tool_calls !== undefined && tool_calls !== null
  return hasToolCalls || (function_call !== undefined && function_call !== null)
}

function isRefusal({ refusal }: Message): boolean {
  return typeof refusal === 'string' && refusal !== ''
}

function hasText(content: unknown): boolean {
  return typeof content === 'string' && content !== ''
}

function tokensOf(usage: Usage | null | undefined): number | undefined {
  return tokenCountOf(usage?.total_tokens) || undefined
}
