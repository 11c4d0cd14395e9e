import type { Effects } from '../core/effects.ts'
import type { ChatChunk, ChatCompletion, ChatMessage, ChatRequest, Usage } from '../openai/chat.ts'
import type { ChatAnswer, ChatModel } from '../openai/chat-model.ts'

/** How much of a question and of the instructions an answer repeats, characters. */
const QUOTE_LENGTH = 200
const KNOWLEDGE_LENGTH = 4_000

export interface DemoOptions {
  readonly effects: Pick<Effects, 'now' | 'randomId'>
  readonly provider: string
  readonly model: string
}

/**
 * A model that needs no key and no network: it repeats what it was asked and what it was told about the user, so that
 * a first start shows that Purser's context arrives. The same messages get the same words.
 */
export function createDemo({ effects, provider, model }: DemoOptions): ChatModel {
  return {
    provider,
    model,
    async chat(request, { signal }) {
      signal.throwIfAborted()
      const text = demoAnswer(request)
      const told = { id: `chatcmpl-${effects.randomId()}`, created: Math.floor(effects.now() / 1000), model }
      const usage = usageFor(request, text)
      if (request.stream !== true) return completion(told, text, usage)
      return { kind: 'stream', chunks: wordByWord(told, { text, usage, signal }) }
    },
  }
}

type Told = Pick<ChatCompletion, 'id' | 'created' | 'model'>

function completion(told: Told, content: string, usage: Usage): ChatAnswer {
  const whole: ChatCompletion = {
    ...told,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage,
  }
  return { kind: 'completion', text: JSON.stringify(whole) }
}

interface Speech {
  readonly text: string
  readonly usage: Usage
  readonly signal: AbortSignal
}

async function* wordByWord(told: Told, { text, usage, signal }: Speech): AsyncGenerator<string> {
  const chunk = (choices: ChatChunk['choices'], more?: { usage: Usage }): string =>
    JSON.stringify({ ...told, object: 'chat.completion.chunk', choices, ...more })
  let role: { role?: string } = { role: 'assistant' }
  for (const content of text.match(/\S+\s*/g) ?? []) {
    signal.throwIfAborted()
    yield chunk([{ index: 0, delta: { ...role, content }, finish_reason: null }])
    role = {}
  }
  signal.throwIfAborted()
  yield chunk([{ index: 0, delta: {}, finish_reason: 'stop' }])
  yield chunk([], { usage })
}

/** What the demo model says to these messages. */
export function demoAnswer({ messages }: ChatRequest): string {
  const question = messages.findLast((message) => message.role === 'user')
  const asked = cut(question === undefined ? '' : textOf(question), QUOTE_LENGTH)
  const known = messages
    .filter(({ role }) => role === 'system' || role === 'developer')
    .map(textOf)
    .filter((text) => text !== '')
    .join('\n\n')
  const opening = asked === '' ? 'You have not said anything yet.' : `You said: "${asked}"`
  if (known === '') return `${opening}\n\nNobody has told me anything about you yet.`
  return `${opening}\n\nThis is what I was told:\n${cut(known, KNOWLEDGE_LENGTH)}`
}

function textOf({ content }: ChatMessage): string {
  if (typeof content === 'string') return content.trim()
  return (content ?? [])
    .map((part) => part.text ?? '')
    .join(' ')
    .trim()
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length).toWellFormed().trimEnd()} …`
}

/** Four characters count as a token, which is near enough for a demo. */
function usageFor({ messages }: ChatRequest, answer: string): Usage {
  const asked = messages.reduce((length, message) => length + textOf(message).length, 0)
  const prompt_tokens = Math.ceil(asked / 4)
  const completion_tokens = Math.ceil(answer.length / 4)
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}
