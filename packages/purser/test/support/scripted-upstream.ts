import type { TurnAnswerRequest } from '../../src/answers/turn-answers.ts'
import { PurserError } from '../../src/errors.ts'
import type { ChatRequest, ChunkChoice } from '../../src/openai/chat.ts'
import type { ChatAnswer } from '../../src/openai/chat-model.ts'

/** A cacheable turn without its model call. */
export function turnRequest(request: Partial<ChatRequest> = {}): Omit<TurnAnswerRequest, 'callModel'> {
  const whole: ChatRequest = { messages: [{ role: 'user', content: 'Hello?' }], ...request }
  const cacheable = { request: whole, target: { provider: 'local', model: 'm' }, context: null }
  return { request: whole, cacheable, mode: 'on', replay: undefined }
}

export function chunk(choice: Partial<ChunkChoice> | null, more: Record<string, unknown> = {}): string {
  const choices = choice === null ? [] : [{ index: 0, delta: {}, finish_reason: null, ...choice }]
  return JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })
}

/** A complete answer in chunks: a role, one for each word, the finish reason, and a usage of 5 tokens. */
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

/** An upstream that sends these chunks one by one, and fails or hangs after some of them. */
export function scripted(
  texts: readonly string[],
  fault: { readonly failAfter?: number; readonly hangAfter?: number } = {},
): { readonly answer: ChatAnswer; readonly sent: number; readonly stopped: boolean } {
  const state = { sent: 0, stopped: false }
  const chunks: AsyncIterableIterator<string> = {
    async next() {
      if (state.sent === fault.failAfter) throw new PurserError('upstream_failed', 'The connection broke.')
      if (state.sent === fault.hangAfter) await Promise.withResolvers().promise
      const value = texts[state.sent]
      if (value === undefined) return { value: undefined, done: true }
      state.sent++
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
    get sent() {
      return state.sent
    },
    get stopped() {
      return state.stopped
    },
  }
}
