import type { TurnOrder } from '../../src/answers/open-turn.ts'
import { PurserError } from '../../src/errors.ts'
import type { ChatRequest, ChunkChoice } from '../../src/openai/chat.ts'
import type { ChatAnswer } from '../../src/openai/chat-model.ts'

/** A turn as `open` takes it. */
export function order(request: Partial<ChatRequest> = {}): TurnOrder {
  return {
    request: { messages: [{ role: 'user', content: 'Hello?' }], ...request },
    target: { provider: 'local', model: 'm' },
    context: null,
    mode: 'on',
  }
}

export function chunk(choice: Partial<ChunkChoice> | null, more: Record<string, unknown> = {}): string {
  const choices = choice === null ? [] : [{ index: 0, delta: {}, finish_reason: null, ...choice }]
  return JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })
}

/** A clean answer in chunks: one for each word, the end, and its usage of 5 tokens. */
export function cleanStream(text: string): string[] {
  return [
    chunk({ delta: { role: 'assistant', content: '' } }),
    ...text.split(' ').map((content) => chunk({ delta: { content } })),
    chunk({ finish_reason: 'stop' }),
    chunk(null, { usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 } }),
  ]
}

export function completion(content: string | null, choice: Record<string, unknown> = {}): string {
  const message = { role: 'assistant', content }
  const choices = [{ index: 0, message, finish_reason: 'stop', ...choice }]
  return JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices })
}

/** An upstream that gives these chunks one by one, and may fail or hang on the way. */
export function scripted(
  texts: readonly string[],
  trouble: { readonly failAfter?: number; readonly hangAfter?: number } = {},
): { readonly answer: ChatAnswer; readonly given: number; readonly stopped: boolean } {
  const state = { given: 0, stopped: false }
  const chunks: AsyncIterableIterator<string> = {
    async next() {
      if (state.given === trouble.failAfter) throw new PurserError('upstream_failed', 'The connection broke.')
      if (state.given === trouble.hangAfter) await Promise.withResolvers().promise
      const value = texts[state.given]
      if (value === undefined) return { value: undefined, done: true }
      state.given++
      return { value, done: false }
    },
    async return() {
      state.stopped = true
      return { value: undefined, done: true }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
  return {
    answer: { kind: 'stream', chunks },
    get given() {
      return state.given
    },
    get stopped() {
      return state.stopped
    },
  }
}
