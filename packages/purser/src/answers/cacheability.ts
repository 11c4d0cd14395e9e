import type { ChatChunk, ChatCompletion, Usage } from '../openai/chat.ts'

/** What a look at the whole answer says. */
export interface Cacheability {
  /** True: complete, clean and not empty, so that it may be served again. */
  readonly keep: boolean
  /** What making it has cost, as far as the upstream said. */
  readonly tokens: number
}

/** Watches one answer as it comes in. */
export interface CacheabilityCheck {
  see(chunk: string): void
  verdict(): Cacheability
}

interface Choice {
  finish: string | null
  hasText: boolean
}

/**
 * An answer may be kept when every choice ended with `stop` and has text. Not kept: what was cut (`length`),
 * filtered, refused, empty, or carries an error; and what calls tools, because a call is an act and not an answer.
 * Whether the stream itself came to its end is for the caller to say: judge only what did.
 */
export function createCacheabilityCheck(choicesAsked: number): CacheabilityCheck {
  const choices = new Map<number, Choice>()
  let isClean = true
  let tokens = 0

  function seeChunk(chunk: ChatChunk): void {
    if (chunk.error !== undefined && chunk.error !== null) isClean = false
    tokens = tokensOf(chunk.usage) ?? tokens
    for (const { index, delta, finish_reason } of chunk.choices ?? []) {
      const choice = choices.get(index) ?? { finish: null, hasText: false }
      choices.set(index, choice)
      choice.finish = finish_reason ?? choice.finish
      if (delta === undefined || delta === null) continue
      if (isAct(delta) || isRefusal(delta)) isClean = false
      if (hasText(delta.content)) choice.hasText = true
    }
  }

  return {
    see(text) {
      if (!isClean) return
      try {
        seeChunk(JSON.parse(text) as ChatChunk)
      } catch {
        isClean = false
      }
    },
    verdict() {
      const all = [...choices.values()]
      const isComplete = all.length >= Math.max(1, choicesAsked) && all.every(isGood)
      return { keep: isClean && isComplete, tokens }
    },
  }
}

export function checkCompletion(text: string, choicesAsked: number): Cacheability {
  try {
    const completion = JSON.parse(text) as ChatCompletion
    const isClean = completion.error === undefined || completion.error === null
    const all = completion.choices.map(({ message, finish_reason }) => ({
      finish: isAct(message) || isRefusal(message) ? null : finish_reason,
      hasText: hasText(message.content),
    }))
    const isComplete = all.length >= Math.max(1, choicesAsked) && all.every(isGood)
    return { keep: isClean && isComplete, tokens: tokensOf(completion.usage) ?? 0 }
  } catch {
    return { keep: false, tokens: 0 }
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

function isAct({ tool_calls, function_call }: Message): boolean {
  const hasCalls = Array.isArray(tool_calls) ? tool_calls.length > 0 : tool_calls !== undefined && tool_calls !== null
  return hasCalls || (function_call !== undefined && function_call !== null)
}

function isRefusal({ refusal }: Message): boolean {
  return typeof refusal === 'string' && refusal !== ''
}

function hasText(content: unknown): boolean {
  return typeof content === 'string' && content !== ''
}

function tokensOf(usage: Usage | null | undefined): number | undefined {
  const total: unknown = usage?.total_tokens
  return typeof total === 'number' && Number.isFinite(total) && total > 0 ? total : undefined
}
