import type { Effects } from '../core/effects.ts'
import { encodeJson, isLargeJson, stringifyJson } from '../core/json-pieces.ts'
import { parseLargeJson } from '../core/parse-json-in-steps.ts'
import { createRedactor, secretsInHeaders, secretsInQuery } from '../core/redact.ts'
import { isObject } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { ChatChunk, ChatCompletion, ChatRequest } from '../openai/chat.ts'
import type { ChatAnswer, ChatCall, ChatModel } from '../openai/chat-model.ts'
import { toChunks, usageOf } from '../openai/completion.ts'
import { dropEmptyTexts } from '../openai/drop-empty-texts.ts'
import { findError } from '../openai/find-error.ts'
import { ChunkMerger } from '../openai/merge-chunks.ts'
import { normalizeCompletion } from '../openai/normalize-completion.ts'
import { isComment } from '../openai/sse.ts'
import { type ChunkStream, createChunkStream } from './chunk-stream.ts'
import { ChunkTimeouts } from './chunk-timeouts.ts'
import { sniffBody } from './http/answer-form.ts'
import { canDecodeBody, decodeBody } from './http/decoded-body.ts'
import { mapHttpError, mapInBandError, mapNetworkError, parseJson } from './http/errors.ts'
import { type ByteReader, HttpCall, readPrefix, readText, tooLarge } from './http/http-call.ts'
import type { GetDispatcher } from './http/pools.ts'
import { createRequestHeaders } from './http/request-headers.ts'
import { createSseChunkSource } from './http/sse-chunk-source.ts'

/** Limits for one answer beside `maxResponseBytes`, bytes. */
export const RESPONSE_MAX_BYTES = { stream: 268_435_456, error: 65_536 } as const

export interface OpenAiHttpModelDeps {
  readonly effects: Effects
  readonly provider: string
  readonly model: string
  readonly getDispatcher: GetDispatcher
  /** Without `/chat/completions`; a query is kept. */
  readonly baseURL: URL
  readonly apiKey: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Limit for a completion, and for one event of a stream. */
  readonly maxResponseBytes: number
  /** Adapts the request to an upstream that deviates from the format. */
  readonly prepare?: ((request: ChatRequest) => ChatRequest) | undefined
}

/**
 * A model behind an address that speaks OpenAI's chat completions. Answers of the upstream pass through as text, and
 * are written again only where they deviate from the format. Nothing is read from the process environment, no redirect
 * is followed, and no call is repeated once its upstream may have read it. An upstream that streams without being asked to, or does not stream when asked
 * to, is translated; its answer is limited as what it is.
 */
export function createOpenAiHttpModel(deps: OpenAiHttpModelDeps): ChatModel {
  const { effects, provider, model, maxResponseBytes } = deps
  const headers = createRequestHeaders(provider, {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(deps.apiKey === undefined ? {} : { authorization: `Bearer ${deps.apiKey}` }),
    ...deps.headers,
  })
  const redact = createRedactor([deps.apiKey ?? '', ...secretsInHeaders(deps.headers), ...secretsInQuery(deps.baseURL)])
  const createError = (error: unknown) => mapInBandError(provider, error, redact)
  const createId = () => effects.randomId()
  const path = `${deps.baseURL.pathname.replace(/\/+$/, '')}/chat/completions${deps.baseURL.search}`

  async function chat(request: ChatRequest, call: ChatCall): Promise<ChatAnswer> {
    const { signal } = call
    const upstreamRequest = toUpstreamRequest(request, deps)
    const body = isLargeJson(upstreamRequest) ? await encodeJson(upstreamRequest) : JSON.stringify(upstreamRequest)
    const upstream = new HttpCall(deps.getDispatcher(), {
      effects,
      path,
      headers,
      body,
      signal,
      maxBytes: maxResponseBytes,
    })
    const onTimeout = (reason: PurserError) => upstream.cancel(reason)
    const timeouts = new ChunkTimeouts({ ...call, effects, provider, onTimeout })
    const mapError = (cause: unknown) => (signal.aborted ? signal.reason : mapNetworkError(provider, cause))
    try {
      return await readAnswer(upstream, { isStream: request.stream === true, timeouts, mapError })
    } catch (cause) {
      timeouts.clear()
      upstream.cancel(cause)
      throw mapError(cause)
    }
  }

  async function readAnswer(upstream: HttpCall, options: ReadAnswerOptions): Promise<ChatAnswer> {
    const { status, headers: responseHeaders } = await upstream.head
    const header = responseHeaders['content-encoding']
    if (status < 200 || status > 299) {
      const body = canDecodeBody(header) ? decodeBody(upstream, { header, maxBytes: maxResponseBytes }) : upstream
      const text = await readPrefix(body, RESPONSE_MAX_BYTES.error)
      throw mapHttpError({ provider, status, headers: responseHeaders, text, now: effects.now(), redact })
    }
    const decoded = decodeBody(upstream, { header, maxBytes: maxResponseBytes })
    const { form, body } = await sniffBody(decoded, responseHeaders['content-type'])
    return form === 'events' ? readEvents(body, options) : readJson(body, options)
  }

  async function readEvents(body: ByteReader, options: ReadAnswerOptions): Promise<ChatAnswer> {
    body.limitTo(Math.max(RESPONSE_MAX_BYTES.stream, maxResponseBytes))
    const source = createSseChunkSource({ provider, body, createError, createId, maxEventBytes: maxResponseBytes })
    const chunks = createChunkStream({ source, ...options })
    await chunks.start()
    if (options.isStream) return { kind: 'stream', chunks }
    return { kind: 'completion', text: await readCompletion(chunks, maxResponseBytes) }
  }

  async function readJson(body: ByteReader, { isStream, timeouts }: ReadAnswerOptions): Promise<ChatAnswer> {
    const answer = await parseCompletion(await readText(body))
    timeouts.clear()
    if (answer === undefined) throw notACompletion(provider)
    const error = findError(answer.value)
    if (error !== undefined) throw createError(error)
    const normalized = normalizeCompletion(answer.value, createId)
    if (normalized === undefined) throw notACompletion(provider)
    const { completion, isChanged } = normalized
    if (isStream) return { kind: 'stream', chunks: streamCompletion(completion) }
    return {
      kind: 'completion',
      text: isChanged ? await stringifyJson(completion) : answer.text,
      usage: usageOf(completion),
    }
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
  const { providerOptions, ...fields } = dropEmptyTexts(request) as ChatRequest & { readonly providerOptions?: unknown }
  const upstreamRequest: ChatRequest = { ...defaultsFor(provider, providerOptions), ...fields, model }
  if (fields.stream === true) upstreamRequest.stream_options = { ...fields.stream_options, include_usage: true }
  return prepare === undefined ? upstreamRequest : prepare(upstreamRequest)
}

function defaultsFor(provider: string, providerOptions: unknown): Readonly<Record<string, unknown>> | undefined {
  const options = (providerOptions as Record<string, Record<string, unknown>> | null | undefined)?.[provider]
  if (options === undefined || options === null) return undefined
  return Object.fromEntries(Object.entries(options).filter(([name]) => !RESERVED_FIELDS.includes(name)))
}

interface ParsedAnswer {
  readonly text: string
  readonly value: Record<string, unknown>
}

/** Some servers add the end of a stream to a completion. */
const TRAILING_DONE = /data:\s*\[DONE\]\s*$/

/** An answer in JSON; undefined when it is none. A list of one object, as Google reports errors, counts as that object. */
async function parseCompletion(answer: string): Promise<ParsedAnswer | undefined> {
  let text = answer
  let value = await parseAnswer(text)
  if (value === undefined) {
    text = answer.replace(TRAILING_DONE, '')
    value = text === answer ? undefined : await parseAnswer(text)
  }
  if (isObject(value)) return { text, value }
  return Array.isArray(value) && isObject(value[0])
    ? { text: await stringifyJson(value[0]), value: value[0] }
    : undefined
}

async function parseAnswer(text: string): Promise<unknown> {
  try {
    return await parseLargeJson(text)
  } catch {
    return undefined
  }
}

function notACompletion(provider: string): PurserError {
  return new PurserError('upstream_failed', `The provider '${provider}' sent a body that is not a completion.`)
}

async function readCompletion(stream: ChunkStream, maxBytes: number): Promise<string> {
  const merger = new ChunkMerger()
  for await (const text of stream) {
    if (isComment(text)) continue
    merger.push(parseJson(text) as ChatChunk)
    if (merger.size > maxBytes) throw tooLarge(maxBytes)
  }
  return stringifyJson(merger.completion())
}

async function* streamCompletion(completion: ChatCompletion): AsyncIterable<string> {
  for (const chunk of toChunks(completion)) yield JSON.stringify(chunk)
}
