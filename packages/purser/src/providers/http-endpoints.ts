import { Readable } from 'node:stream'
import type { Effects } from '../core/effects.ts'
import { createRedactor, secretsInHeaders, secretsInQuery } from '../core/redact.ts'
import { type ServerSentEvent, SseParser } from '../core/sse.ts'
import { PurserError } from '../errors.ts'
import type { ChatCall } from '../openai/chat-model.ts'
import type { Endpoint, EndpointAnswer, EndpointRequest, UpstreamEndpoints } from '../openai/endpoint.ts'
import { findEndpointError } from '../openai/find-endpoint-error.ts'
import { RESPONSE_MAX_BYTES } from './answer-reader.ts'
import { ChunkTimeouts } from './chunk-timeouts.ts'
import { sniffBody } from './http/answer-form.ts'
import { canDecodeBody, decodeBody } from './http/decoded-body.ts'
import { mapHttpError, mapInBandError, mapNetworkError } from './http/errors.ts'
import { type ByteReader, HttpCall, readPrefix } from './http/http-call.ts'
import type { GetDispatcher } from './http/pools.ts'
import { createRequestHeaders } from './http/request-headers.ts'

/** A longer answer, or a longer first event of a stream, passes without being searched for an error. */
const ERROR_MAX_BYTES = 1_048_576

/** The bytes of an answer that tell its form. */
const START_BYTES = 64

/** The endpoints whose answers may be anything: sound, or text in many forms. */
const OPAQUE_ENDPOINTS: readonly Endpoint[] = ['audio/speech', 'audio/transcriptions']

interface TypedReader {
  readonly contentType: string
  readonly reader: ByteReader
}

export interface HttpEndpointsDeps {
  readonly effects: Effects
  readonly provider: string
  readonly getDispatcher: GetDispatcher
  /** Without the endpoint; a query is kept. */
  readonly baseURL: URL
  /** With the key. They replace headers of the request. */
  readonly headers: Readonly<Record<string, string>>
  /** Limit for an answer in JSON. */
  readonly maxResponseBytes: number
}

/**
 * The endpoints of a provider over HTTP. Bodies pass in both directions as they arrive, but for
 * the beginning of an answer: one that is an error fails the call. Nothing is read from the process
 * environment, no redirect is followed, and no call is retried.
 */
export function createHttpEndpoints(deps: HttpEndpointsDeps): UpstreamEndpoints {
  const { effects, provider, baseURL, maxResponseBytes } = deps
  const maxStreamBytes = Math.max(RESPONSE_MAX_BYTES.stream, maxResponseBytes)
  const redact = createRedactor([...secretsInHeaders(deps.headers), ...secretsInQuery(baseURL)])

  const createError = (error: unknown): PurserError => mapInBandError(provider, error, redact)

  async function call(request: EndpointRequest, { signal, ...limits }: ChatCall): Promise<EndpointAnswer> {
    const { endpoint, body } = request
    const upstream = new HttpCall(deps.getDispatcher(), {
      effects,
      path: `${baseURL.pathname.replace(/\/+$/, '')}/${endpoint}${baseURL.search}`,
      headers: createRequestHeaders(provider, { accept: '*/*', ...request.headers, ...deps.headers }),
      body: typeof body === 'string' || Array.isArray(body) ? body : Readable.from(body, { objectMode: false }),
      signal,
      maxBytes: maxResponseBytes,
    })
    const onTimeout = (reason: unknown): void => upstream.cancel(reason)
    const timeouts = new ChunkTimeouts({ ...limits, effects, provider, onTimeout })
    const mapError = (cause: unknown): unknown => (signal.aborted ? signal.reason : mapNetworkError(provider, cause))
    try {
      const { contentType: declared, reader: whole } = await readHead(upstream)
      const { contentType, reader } =
        OPAQUE_ENDPOINTS.includes(endpoint) && !isJson(declared)
          ? { contentType: declared, reader: whole }
          : await sniffContentType(whole, declared)
      const first = await reader.read()
      if (!isAnswerStart(first, contentType)) throw notAnAnswer(provider, contentType)
      const { pieces, error } = await readStart(reader, { first, contentType, timeouts })
      if (error !== undefined) throw createError(error)
      if (isJson(contentType) && !isObjectStart(first)) throw notAnAnswer(provider, contentType)
      return { contentType, bytes: readBytes(reader, { pieces, timeouts, mapError }), redact, createError }
    } catch (cause) {
      timeouts.clear()
      upstream.cancel(cause)
      throw mapError(cause)
    }
  }

  async function readHead(upstream: HttpCall): Promise<TypedReader> {
    const { status, headers } = await upstream.head
    const header = headers['content-encoding']
    if (status < 200 || status > 299) {
      const body = canDecodeBody(header) ? decodeBody(upstream, { header, maxBytes: maxResponseBytes }) : upstream
      const text = await readPrefix(body, RESPONSE_MAX_BYTES.error)
      throw mapHttpError({ provider, status, headers, text, now: effects.now(), redact })
    }
    const contentType = headers['content-type'] ?? ''
    const reader = decodeBody(upstream, { header, maxBytes: maxResponseBytes })
    if (!isJson(contentType)) reader.limitTo(maxStreamBytes)
    return { contentType, reader }
  }

  /** What the bytes of an answer are, and their limit: content types are often missing or wrong. */
  async function sniffContentType(whole: ByteReader, declared: string): Promise<TypedReader> {
    const { form, body: reader } = await sniffBody(whole, declared)
    reader.limitTo(form === 'events' ? maxStreamBytes : maxResponseBytes)
    if (form === 'events') return { reader, contentType: isEvents(declared) ? declared : 'text/event-stream' }
    return { reader, contentType: isJson(declared) ? declared : 'application/json' }
  }

  return { call }
}

interface AnswerStart {
  /** The bytes that were read so far. */
  readonly pieces: readonly Buffer[]
  /** What the answer, or the first event of it, reports; undefined if that is no error. */
  readonly error: unknown
}

interface ReadStartOptions {
  /** The first bytes; undefined for an empty body. */
  readonly first: Buffer | undefined
  readonly contentType: string
  readonly timeouts: ChunkTimeouts
}

function isJson(contentType: string): boolean {
  return /\bjson\b/i.test(contentType)
}

function isEvents(contentType: string): boolean {
  return /^text\/event-stream\b/i.test(contentType)
}

/** Whether an answer may begin so: not as a page for people, and only a text may be empty. */
function isAnswerStart(first: Buffer | undefined, contentType: string): boolean {
  if (/^text\/html\b/i.test(contentType)) return false
  if (first === undefined) return contentType.startsWith('text/') && !isEvents(contentType)
  return !isJson(contentType) || /^\uFEFF?\s*[{[]/.test(first.toString('utf8', 0, START_BYTES))
}

/** Answers are objects; lists are errors only. */
function isObjectStart(first: Buffer | undefined): boolean {
  return first !== undefined && /^\uFEFF?\s*\{/.test(first.toString('utf8', 0, START_BYTES))
}

function notAnAnswer(provider: string, contentType: string): PurserError {
  const what = isJson(contentType) ? 'that is not a JSON object' : 'that is no answer'
  return new PurserError('upstream_failed', `The provider '${provider}' sent a body ${what}.`)
}

/** Reads an answer in JSON to its end, an event stream up to its first event, and anything else up to its first bytes. */
async function readStart(reader: ByteReader, { first, contentType, timeouts }: ReadStartOptions): Promise<AnswerStart> {
  const events = isEvents(contentType) ? new SseParser({ maxEventBytes: ERROR_MAX_BYTES }) : undefined
  const pieces: Buffer[] = []
  for (let next = first; next !== undefined; next = await reader.read()) {
    timeouts.stopWaiting()
    pieces.push(next)
    const event = events && firstEvent(events, next)
    if (event === null) return { pieces, error: undefined }
    if (event !== undefined) return { pieces, error: findEndpointError(event.data, event.event) }
    if (!isJson(contentType) && events === undefined) return { pieces, error: undefined }
    timeouts.startWaiting()
  }
  timeouts.stopWaiting()
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const isReadable = isJson(contentType) && bytes <= ERROR_MAX_BYTES
  return { pieces, error: isReadable ? findEndpointError(Buffer.concat(pieces).toString()) : undefined }
}

/** Undefined: go on. Null: the stream begins with something else than an event, such as a comment. */
function firstEvent(events: SseParser, bytes: Buffer): ServerSentEvent | null | undefined {
  try {
    return events.push(bytes)[0] ?? (events.takeComment() === undefined ? undefined : null)
  } catch {
    return null
  }
}

interface ReadBytesOptions {
  /** The bytes that were read already. */
  readonly pieces: readonly Buffer[]
  readonly timeouts: ChunkTimeouts
  readonly mapError: (cause: unknown) => unknown
}

/** The call ends with the last byte, with an error, or when the reader stops. */
async function* readBytes(
  reader: ByteReader,
  { pieces, timeouts, mapError }: ReadBytesOptions,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* pieces
    timeouts.startWaiting()
    for (let next = await reader.read(); next !== undefined; next = await reader.read()) {
      timeouts.stopWaiting()
      yield next
      timeouts.startWaiting()
    }
  } catch (cause) {
    throw mapError(cause)
  } finally {
    timeouts.clear()
    reader.cancel(new Error('The answer is no longer read.'))
  }
}
