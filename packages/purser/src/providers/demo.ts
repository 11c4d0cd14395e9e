import { sleep } from '../core/abort.ts'
import type { AbortSignalLike } from '../core/call-signal.ts'
import type { Effects } from '../core/effects.ts'
import type { ChatChunk, ChatCompletion, ChatMessage, ChatRequest, Usage } from '../openai/chat.ts'
import type { ChatAnswer, ChatModel } from '../openai/chat-model.ts'

/** How much of the question and of the instructions an answer repeats, characters. */
const QUESTION_MAX_CHARACTERS = 200
const INSTRUCTIONS_MAX_CHARACTERS = 4_000

export interface DemoModelDeps {
  readonly effects: Effects
  readonly provider: string
  readonly model: string
  /** Time that each token of an answer takes. */
  readonly tokenMs: number
}

/**
 * A model that needs no key and no network. It repeats the question and the context it received, so that a first start
 * shows that Purser's context arrives. Equal messages get the same text.
 */
export function createDemoModel({ effects, provider, model, tokenMs }: DemoModelDeps): ChatModel {
  const generate = async (tokens: number, signal: AbortSignalLike): Promise<void> => {
    if (tokenMs > 0) await sleep(effects, tokens * tokenMs, signal)
    signal.throwIfAborted()
  }
  return {
    provider,
    model,
    async chat(request, { signal }) {
      signal.throwIfAborted()
      const text = composeAnswer(request)
      const header = { id: `chatcmpl-${effects.randomId()}`, created: Math.floor(effects.now() / 1000), model }
      const usage = estimateUsage(request, text)
      if (request.stream === true)
        return { kind: 'stream', chunks: streamWords(header, { text, usage, signal, generate }) }
      await generate(usage.completion_tokens, signal)
      return createCompletion(header, text, usage)
    },
  }
}

type Header = Pick<ChatCompletion, 'id' | 'created' | 'model'>

function createCompletion(header: Header, content: string, usage: Usage): ChatAnswer {
  const completion: ChatCompletion = {
    ...header,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage,
  }
  return { kind: 'completion', text: JSON.stringify(completion) }
}

interface StreamOptions {
  readonly text: string
  readonly usage: Usage
  readonly signal: AbortSignalLike
  /** Resolves when so many tokens would be generated; rejects when the signal is aborted. */
  generate(tokens: number, signal: AbortSignalLike): Promise<void>
}

async function* streamWords(header: Header, { text, usage, signal, generate }: StreamOptions): AsyncGenerator<string> {
  const chunk = (choices: ChatChunk['choices'], more?: { usage: Usage }): string =>
    JSON.stringify({ ...header, object: 'chat.completion.chunk', choices, ...more })
  let role: { role?: string } = { role: 'assistant' }
  for (const content of text.match(/\S+\s*/g) ?? []) {
    await generate(tokensOf(content), signal)
    yield chunk([{ index: 0, delta: { ...role, content }, finish_reason: null }])
    role = {}
  }
  signal.throwIfAborted()
  yield chunk([{ index: 0, delta: {}, finish_reason: 'stop' }])
  yield chunk([], { usage })
}

function composeAnswer({ messages }: ChatRequest): string {
  const lastUserMessage = messages.findLast((message) => message.role === 'user')
  const question = truncate(lastUserMessage === undefined ? '' : textOf(lastUserMessage), QUESTION_MAX_CHARACTERS)
  const instructions = messages
    .filter(({ role }) => role === 'system' || role === 'developer')
    .map(textOf)
    .filter((text) => text !== '')
    .join('\n\n')
  const opening = question === '' ? 'Your message is empty.' : `You said: "${question}"`
  if (instructions === '') return `${opening}\n\nThe request contains no context about you.`
  return `${opening}\n\nThe context of this request:\n${truncate(instructions, INSTRUCTIONS_MAX_CHARACTERS)}`
}

function textOf({ content }: ChatMessage): string {
  if (typeof content === 'string') return content.trim()
  return (content ?? [])
    .map((part) => part.text ?? '')
    .join(' ')
    .trim()
}

function truncate(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters).toWellFormed().trimEnd()} …`
}

/** Four characters a token, which is accurate enough for a demo. */
function tokensOf(text: string): number {
  return Math.ceil(text.length / 4)
}

function estimateUsage({ messages }: ChatRequest, answer: string): Usage {
  const promptCharacters = messages.reduce((length, message) => length + textOf(message).length, 0)
  const prompt_tokens = Math.ceil(promptCharacters / 4)
  const completion_tokens = tokensOf(answer)
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}
