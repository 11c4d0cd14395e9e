import type { Effects } from '../core/effects.ts'
import { createRedactor } from '../core/redact.ts'
import { PurserError } from '../errors.ts'
import type { ChatChunk, ChatCompletion, ChatRequest } from '../openai/chat.ts'
import type { ChatAnswer, ChatCall, ChatModel } from '../openai/chat-model.ts'
import { chunksOf, completionOf } from '../openai/completion.ts'
import { createChunkSource } from './http/chunks.ts'
import { failureInBand, failureOf, networkFailure, parseJson as parse } from './http/errors.ts'
import { type Head, HttpCall, readBeginning, readText } from './http/http-call.ts'
import type { GetDispatcher } from './http/pools.ts'
import { type ChunkTimeouts, createChunkTimeouts } from './http/timeouts.ts'
import { createTextStream, type TextStream } from './text-stream.ts'

/** What one answer may hold, bytes. */
export const ANSWER_LIMITS = {
  completion: 33_554_432,
  stream: 268_435_456,
  event: 4_194_304,
  error: 65_536,
} as const

export interface OpenAiHttpOptions {
  readonly effects: Effects
  readonly provider: string
  readonly model: string
  readonly door: GetDispatcher
  /** Up to and without `/chat/completions`; a query is kept. */
  readonly baseURL: URL
  readonly apiKey: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** The request in the words of this upstream, where they differ. */
  readonly prepare?: ((request: ChatRequest) => ChatRequest) | undefined
}

/**
 * A model behind an address that speaks OpenAI's chat completions. What the upstream writes is passed on as text:
 * a chunk is parsed only if it may be an error. Nothing is read from the process environment, no redirect is
 * followed, and no call is made twice. An upstream that answers in the other form than asked is translated.
 */
export function createOpenAiHttp(options: OpenAiHttpOptions): ChatModel {
  const { effects, provider, model } = options
  const headers = headersOf(options)
  const hide = createRedactor(options.apiKey === undefined ? [] : [options.apiKey])
  const faultIn = (text: string) => failureInBand(provider, hide(text))
  const path = `${options.baseURL.pathname.replace(/\/+$/, '')}/chat/completions${options.baseURL.search}`

  async function chat(request: ChatRequest, call: ChatCall): Promise<ChatAnswer> {
    const { signal } = call
    const asked = request.stream === true
    const maxBytes = asked ? ANSWER_LIMITS.stream : ANSWER_LIMITS.completion
    const body = JSON.stringify(asForUpstream(request, options))
    const upstream = new HttpCall(options.door(), { effects, path, headers, body, signal, maxBytes })
    const patience = createChunkTimeouts({
      ...call,
      effects,
      provider,
      onLate: (reason) => upstream.cancel(reason),
    })
    const explain = (cause: unknown) => (signal.aborted ? signal.reason : networkFailure(provider, cause))
    try {
      return await read(upstream, { asked, patience, explain })
    } catch (cause) {
      patience.end()
      upstream.cancel(cause)
      throw explain(cause)
    }
  }

  async function read(upstream: HttpCall, { asked, patience, explain }: Reading): Promise<ChatAnswer> {
    const head = await upstream.head
    if (head.status < 200 || head.status > 299) {
      const text = hide(await readBeginning(upstream, ANSWER_LIMITS.error))
      throw failureOf({ provider, ...head, text, now: effects.now() })
    }
    if (isEventStream(head)) {
      const source = createChunkSource({
        provider,
        body: upstream,
        parseError: faultIn,
        maxEventBytes: ANSWER_LIMITS.event,
      })
      const stream = createTextStream({ source, patience, explain })
      await stream.begin()
      return asked ? { kind: 'stream', chunks: stream } : { kind: 'completion', text: await collected(stream) }
    }
    const text = await readText(upstream)
    patience.end()
    const whole = asCompletion(text)
    if (whole === undefined) throw faultIn(text) ?? notAnAnswer(provider)
    return asked ? { kind: 'stream', chunks: told(whole) } : { kind: 'completion', text }
  }

  return { provider, model, chat }
}

interface Reading {
  readonly asked: boolean
  readonly patience: ChunkTimeouts
  readonly explain: (cause: unknown) => unknown
}

/** Fields that only Purser fills: who the user is, and what is asked. */
const OWN_FIELDS = ['user', 'safety_identifier', 'metadata', 'model', 'messages', 'stream', 'stream_options'] as const

/**
 * What the upstream is sent. Usage is always asked for, because the turn needs it. `providerOptions` is a word of the
 * AI SDK: what it holds for this provider becomes fields of the request, as the SDK does it, below the request's own.
 */
function asForUpstream(given: ChatRequest, { provider, model, prepare }: OpenAiHttpOptions): ChatRequest {
  const { providerOptions, ...request } = given
  const options = (providerOptions as Record<string, Record<string, unknown>> | null | undefined)?.[provider]
  const below = options === undefined ? undefined : Object.entries(options).filter(([name]) => !isOwn(name))
  const usage = request.stream === true && { stream_options: { ...request.stream_options, include_usage: true } }
  const whole = { ...(below && Object.fromEntries(below)), ...request, ...usage, model } as ChatRequest
  return prepare === undefined ? whole : prepare(whole)
}

function isOwn(name: string): boolean {
  return (OWN_FIELDS as readonly string[]).includes(name)
}

function headersOf({ apiKey, headers, provider }: OpenAiHttpOptions): string[] {
  const all = new Map([
    ['content-type', 'application/json'],
    ['accept', 'application/json, text/event-stream'],
  ])
  if (apiKey !== undefined) all.set('authorization', `Bearer ${apiKey}`)
  for (const [name, value] of Object.entries(headers)) all.set(name.toLowerCase(), value)
  for (const value of all.values()) {
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new PurserError('secret_invalid', `A key or header for the provider '${provider}' is not a header value.`, {
        hint: 'It holds a line break or a character that HTTP does not carry; set it again.',
      })
    }
  }
  return [...all].flat()
}

function isEventStream({ headers }: Head): boolean {
  return headers['content-type']?.toLowerCase().includes('text/event-stream') ?? false
}

function asCompletion(text: string): ChatCompletion | undefined {
  const whole = parse(text) as ChatCompletion | null | undefined
  return typeof whole === 'object' && Array.isArray(whole?.choices) ? whole : undefined
}

function notAnAnswer(provider: string): PurserError {
  return new PurserError('upstream_failed', `The provider '${provider}' sent something that is not an answer.`)
}

async function collected(stream: TextStream): Promise<string> {
  const chunks: ChatChunk[] = []
  for await (const text of stream) {
    const chunk = parse(text)
    if (chunk !== undefined) chunks.push(chunk as ChatChunk)
  }
  return JSON.stringify(completionOf(chunks))
}

async function* told(completion: ChatCompletion): AsyncIterable<string> {
  for (const chunk of chunksOf(completion)) yield JSON.stringify(chunk)
}
