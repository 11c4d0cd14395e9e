import type { Effects } from '../core/effects.ts'
import { createRedactor, secretsInHeaders, secretsInQuery } from '../core/redact.ts'
import { PurserError } from '../errors.ts'
import type { ChatChunk, ChatCompletion, ChatRequest } from '../openai/chat.ts'
import type { ChatAnswer, ChatCall, ChatModel } from '../openai/chat-model.ts'
import { mergeChunks, toChunks } from '../openai/completion.ts'
import { dropEmptyTexts } from '../openai/drop-empty-texts.ts'
import { type ChunkStream, createChunkStream } from './chunk-stream.ts'
import { type ChunkTimeouts, createChunkTimeouts } from './chunk-timeouts.ts'
import { mapHttpError, mapNetworkError, parseInBandError, parseJson } from './http/errors.ts'
import { HttpCall, type ResponseHead, readPrefix, readText } from './http/http-call.ts'
import type { GetDispatcher } from './http/pools.ts'
import { createSseChunkSource } from './http/sse-chunk-source.ts'

/** Limits for one answer, bytes. */
export const RESPONSE_MAX_BYTES = {
  completion: 33_554_432,
  stream: 268_435_456,
  event: 4_194_304,
  error: 65_536,
} as const

export interface OpenAiHttpModelDeps {
  readonly effects: Effects
  readonly provider: string
  readonly model: string
  readonly getDispatcher: GetDispatcher
  /** Without `/chat/completions`; a query is kept. */
  readonly baseURL: URL
  readonly apiKey: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Adapts the request to an upstream that deviates from the format. */
  readonly prepare?: ((request: ChatRequest) => ChatRequest) | undefined
}

/**
 * A model behind an address that speaks OpenAI's chat completions. Answers of the upstream pass through as text: a
 * chunk is parsed only if it may be an error. Nothing is read from the process environment, no redirect is followed,
 * and no call is retried. An upstream that streams without being asked to, or does not stream when asked to, is
 * translated.
 */
export function createOpenAiHttpModel(deps: OpenAiHttpModelDeps): ChatModel {
  const { effects, provider, model } = deps
  const headers = createHeaders(deps)
  const redact = createRedactor([deps.apiKey ?? '', ...secretsInHeaders(deps.headers), ...secretsInQuery(deps.baseURL)])
  const parseError = (text: string) => parseInBandError(provider, text, redact)
  const path = `${deps.baseURL.pathname.replace(/\/+$/, '')}/chat/completions${deps.baseURL.search}`

  async function chat(request: ChatRequest, call: ChatCall): Promise<ChatAnswer> {
    const { signal } = call
    const isStream = request.stream === true
    const maxBytes = isStream ? RESPONSE_MAX_BYTES.stream : RESPONSE_MAX_BYTES.completion
    const body = JSON.stringify(toUpstreamRequest(request, deps))
    const upstream = new HttpCall(deps.getDispatcher(), { effects, path, headers, body, signal, maxBytes })
    const onTimeout = (reason: PurserError) => upstream.cancel(reason)
    const timeouts = createChunkTimeouts({ ...call, effects, provider, onTimeout })
    const mapError = (cause: unknown) => (signal.aborted ? signal.reason : mapNetworkError(provider, cause))
    try {
      return await readAnswer(upstream, { isStream, timeouts, mapError })
    } catch (cause) {
      timeouts.clear()
      upstream.cancel(cause)
      throw mapError(cause)
    }
  }

  async function readAnswer(upstream: HttpCall, options: ReadAnswerOptions): Promise<ChatAnswer> {
    const { isStream, timeouts, mapError } = options
    const head = await upstream.head
    if (head.status < 200 || head.status > 299) {
      const text = await readPrefix(upstream, RESPONSE_MAX_BYTES.error)
      throw mapHttpError({ provider, ...head, text, now: effects.now(), redact })
    }
    if (isEventStream(head)) {
      const maxEventBytes = RESPONSE_MAX_BYTES.event
      const source = createSseChunkSource({ provider, body: upstream, parseError, maxEventBytes })
      const chunks = createChunkStream({ source, timeouts, mapError })
      await chunks.start()
      return isStream ? { kind: 'stream', chunks } : { kind: 'completion', text: await readCompletion(chunks) }
    }
    const text = await readText(upstream)
    timeouts.clear()
    const completion = parseCompletion(text)
    if (completion === undefined) throw parseError(text) ?? notACompletion(provider)
    return isStream ? { kind: 'stream', chunks: streamCompletion(completion) } : { kind: 'completion', text }
  }

  return { provider, model, chat }
}

interface ReadAnswerOptions {
  readonly isStream: boolean
  readonly timeouts: ChunkTimeouts
  readonly mapError: (cause: unknown) => unknown
}

/** Fields that only Purser sets; `providerOptions` cannot. */
const RESERVED_FIELDS: readonly string[] = [
  'user',
  'safety_identifier',
  'metadata',
  'model',
  'messages',
  'stream',
  'stream_options',
]

/**
 * The body for the upstream. A stream always asks for usage, because the turn needs it. `providerOptions` is a term of
 * the AI SDK: as in the SDK, its entry for this provider becomes fields of the request, and the request's own fields
 * win.
 */
function toUpstreamRequest(request: ChatRequest, { provider, model, prepare }: OpenAiHttpModelDeps): ChatRequest {
  const { providerOptions, ...fields } = dropEmptyTexts(request)
  const options = (providerOptions as Record<string, Record<string, unknown>> | null | undefined)?.[provider]
  const defaults = Object.entries(options ?? {}).filter(([name]) => !RESERVED_FIELDS.includes(name))
  const usage = fields.stream === true && { stream_options: { ...fields.stream_options, include_usage: true } }
  const upstreamRequest = { ...Object.fromEntries(defaults), ...fields, ...usage, model } as ChatRequest
  return prepare === undefined ? upstreamRequest : prepare(upstreamRequest)
}

/** Throws `secret_invalid` for a key or header that HTTP cannot carry. */
function createHeaders({ apiKey, headers, provider }: OpenAiHttpModelDeps): string[] {
  const all = new Map([
    ['content-type', 'application/json'],
    ['accept', 'application/json, text/event-stream'],
  ])
  if (apiKey !== undefined) all.set('authorization', `Bearer ${apiKey}`)
  for (const [name, value] of Object.entries(headers)) all.set(name.toLowerCase(), value)
  for (const value of all.values()) {
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new PurserError('secret_invalid', `A key or header of the provider '${provider}' is not a header value.`, {
        hint: 'It contains a line break or another character that HTTP does not allow; set it again.',
      })
    }
  }
  return [...all].flat()
}

function isEventStream({ headers }: ResponseHead): boolean {
  return headers['content-type']?.toLowerCase().includes('text/event-stream') ?? false
}

function parseCompletion(text: string): ChatCompletion | undefined {
  const completion = parseJson(text) as ChatCompletion | null | undefined
  return typeof completion === 'object' && Array.isArray(completion?.choices) ? completion : undefined
}

function notACompletion(provider: string): PurserError {
  return new PurserError('upstream_failed', `The provider '${provider}' sent a body that is not a completion.`)
}

async function readCompletion(stream: ChunkStream): Promise<string> {
  const chunks: ChatChunk[] = []
  for await (const text of stream) {
    const chunk = parseJson(text)
    if (chunk !== undefined) chunks.push(chunk as ChatChunk)
  }
  return JSON.stringify(mergeChunks(chunks))
}

async function* streamCompletion(completion: ChatCompletion): AsyncIterable<string> {
  for (const chunk of toChunks(completion)) yield JSON.stringify(chunk)
}
