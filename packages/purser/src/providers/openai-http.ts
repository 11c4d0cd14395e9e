import type { Effects } from '../core/effects.ts'
import { encodeJson, isLargeJson } from '../core/json-pieces.ts'
import { createRedactor, secretsInHeaders, secretsInQuery } from '../core/redact.ts'
import type { PurserError } from '../errors.ts'
import type { ChatRequest } from '../openai/chat.ts'
import type { ChatAnswer, ChatCall, ChatModel } from '../openai/chat-model.ts'
import { dropEmptyTexts } from '../openai/drop-empty-texts.ts'
import { createAnswerReader } from './answer-reader.ts'
import { ChunkTimeouts } from './chunk-timeouts.ts'
import { mapNetworkError } from './http/errors.ts'
import { HttpCall } from './http/http-call.ts'
import type { GetDispatcher } from './http/pools.ts'
import { createRequestHeaders } from './http/request-headers.ts'

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
  const readAnswer = createAnswerReader({ effects, provider, maxResponseBytes, redact })
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
      const head = await upstream.head
      return await readAnswer(head, upstream, { isStream: request.stream === true, timeouts, mapError })
    } catch (cause) {
      timeouts.clear()
      upstream.cancel(cause)
      throw mapError(cause)
    }
  }

  return { provider, model, chat }
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
  const upstreamRequest: ChatRequest = { ...withoutProviderOptions(dropEmptyTexts(request), provider), model }
  if (request.stream === true)
    upstreamRequest.stream_options = { ...upstreamRequest.stream_options, include_usage: true }
  return prepare === undefined ? upstreamRequest : prepare(upstreamRequest)
}

/** The request itself if it has no `providerOptions`. */
function withoutProviderOptions(
  request: ChatRequest & { readonly providerOptions?: unknown },
  provider: string,
): ChatRequest {
  if (request.providerOptions === undefined) return request
  const { providerOptions, ...fields } = request
  return { ...defaultsFor(provider, providerOptions), ...fields }
}

function defaultsFor(provider: string, providerOptions: unknown): Readonly<Record<string, unknown>> | undefined {
  const options = (providerOptions as Record<string, Record<string, unknown>> | null | undefined)?.[provider]
  if (options === undefined || options === null) return undefined
  return Object.fromEntries(Object.entries(options).filter(([name]) => !RESERVED_FIELDS.includes(name)))
}
