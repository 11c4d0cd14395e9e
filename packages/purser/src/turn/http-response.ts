import type { ServerResponse } from 'node:http'
import type { Context } from '../context/api.ts'
import { encodeHeaderValue } from '../core/header-value.ts'
import { formatSseEvent } from '../core/sse.ts'
import type { Admitted, Refused } from '../ledger/decide/admission.ts'
import type { Attempt } from '../openai/chat-model.ts'
import { type ChunkBatch, formatBatch } from '../openai/chunk-events.ts'
import { toErrorResponse, toRefusalResponse } from '../openai/error-response.ts'
import { type RatedLimit, rateLimitHeaders } from '../openai/rate-limit-headers.ts'
import { DONE_EVENT, formatChunk } from '../openai/sse.ts'
import type { Settings } from '../runtime/api.ts'
import { readerTimedOut } from './reader-watch.ts'

export type HeaderFields = Readonly<Record<string, string>>

export const EVENT_STREAM: HeaderFields = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'private, no-store',
  'x-accel-buffering': 'no',
}
export const JSON_BODY: HeaderFields = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'private, no-store',
}

/** A turn that was not admitted. It cost nothing and reached no model. */
export interface RefusedTurn extends AsyncDisposable {
  readonly allowed: false
  readonly admission: Refused
  /** 429 `insufficient_quota` or 403 `user_blocked`, with an OpenAI error body. */
  toResponse(): Response
  /** Writes the same to a Node response. */
  pipe(response: ServerResponse): Promise<void>
}

export function createRefusedTurn(admission: Refused, now: number): RefusedTurn {
  const { status, body, headers } = toRefusalResponse(admission)
  const allHeaders = { ...JSON_BODY, ...rateLimitHeaders(admission, now), ...headers }
  return {
    allowed: false,
    admission,
    toResponse: () => new Response(JSON.stringify(body), { status, headers: allHeaders }),
    async pipe(response) {
      response.writeHead(status, allHeaders).end(JSON.stringify(body))
    },
    // Nothing is held: it lets `await using turn = …` take a turn of either kind.
    [Symbol.asyncDispose]: async () => undefined,
  }
}

interface AnswerFacts {
  readonly settings: Settings
  /** Undefined for an endpoint without a prompt. */
  readonly context?: Context | undefined
  readonly cache: string
  readonly admission: Admitted
  readonly overheadMs: number
}

/** `PROVIDER/MODEL=STATUS`, or the error code without an answer, in order. */
function formatAttempts(attempts: readonly Attempt[]): string {
  const values = attempts.map(({ provider, model, status, code }) => `${provider}/${model}=${status ?? code}`)
  return encodeHeaderValue(values.join(', '))
}

/** Headers that describe how an answer was made. */
export function answerHeaders(
  { settings, context, cache, admission, overheadMs }: AnswerFacts,
  {
    isReplay,
    rates,
    now,
    attempts,
  }: {
    readonly isReplay: boolean
    readonly rates: readonly RatedLimit[] | undefined
    readonly now: number
    readonly attempts: readonly Attempt[]
  },
): HeaderFields {
  const headers = rateLimitHeaders(admission, now, rates)
  headers['x-purser-model'] = encodeHeaderValue(`${settings.provider}/${settings.model}`)
  headers['x-purser-cache'] = cache
  headers['x-purser-overhead-ms'] = overheadMs.toFixed(2)
  if (context !== undefined) headers['x-purser-context'] = context.status
  if (attempts.length > 1) headers['x-purser-attempts'] = formatAttempts(attempts)
  if (isReplay) headers['idempotent-replayed'] = 'true'
  if (admission.unrecorded) headers['x-purser-store'] = 'unavailable'
  if (admission.downgradedBy !== null) headers['x-purser-downgraded'] = encodeHeaderValue(admission.downgradedBy)
  return headers
}

/** What writing an answer needs of it. */
export interface ReadableAnswer {
  readonly streams: boolean
  readonly headers: HeaderFields
  texts(): AsyncGenerator<string>
  /** The same chunks: those that have arrived, at least one; undefined after the last. */
  nextBatch(): Promise<ChunkBatch | undefined>
  /** From now on, chunks that arrive while `nextBatch` is pending are offered to `take` as bytes first, as in `ChunkBatches`. */
  offer(take: (bytes: Buffer) => boolean): void
  /** The answer as one text. The turn ends with `complete`. */
  wholeText(): string | Promise<string>
  /** The answer was delivered. */
  complete(): void
  /** Ends the turn if nothing else has. */
  end(): void
  /** The answer cannot be delivered, and no byte of it was: the turn is not counted. */
  giveBack(error: unknown): void
  /** `run` is called when the turn was cancelled, because its reader took nothing for too long. */
  onReaderTimeout(run: () => void): void
}

/** Writes an answer to a Node response; undefined: it is written, because it was whole and in memory. */
export function pipeAnswer(
  answer: ReadableAnswer,
  response: ServerResponse,
  more: HeaderFields = {},
): Promise<void> | undefined {
  if (answer.streams) return pipeStream(answer, response, more)
  const whole = answer.wholeText()
  if (typeof whole !== 'string') return whole.then((text) => writeWhole(answer, response, { text, more }))
  writeWhole(answer, response, { text: whole, more })
  return undefined
}

function writeWhole(
  answer: ReadableAnswer,
  response: ServerResponse,
  { text, more }: { readonly text: string; readonly more: HeaderFields },
): void {
  const length = String(Buffer.byteLength(text))
  writeHead(answer, response, { ...more, ...JSON_BODY, ...answer.headers, 'content-length': length })
  response.end(text)
  answer.complete()
}

/**
 * Writes a stream at the reader's pace, until the reader leaves. When it breaks, the headers have been sent: the error
 * becomes one last frame, with the `x-request-id` of the response, and no `[DONE]` follows.
 */
async function pipeStream(answer: ReadableAnswer, response: ServerResponse, more: HeaderFields): Promise<void> {
  writeHead(answer, response, { ...more, ...EVENT_STREAM, ...answer.headers })
  const onClose = (): void => {
    if (!response.writableFinished) answer.end()
  }
  response.on('close', onClose)
  answer.onReaderTimeout(() => response.destroy())
  // Most chunks take this way, on which no promise is made and nothing is kept for them.
  answer.offer((bytes) => {
    if (response.destroyed || response.writableEnded || response.writableNeedDrain) return false
    response.write(bytes)
    return true
  })
  try {
    for (let batch = await answer.nextBatch(); batch !== undefined; batch = await answer.nextBatch()) {
      if (response.destroyed) return
      // One write for what has arrived together.
      if (!response.write(formatBatch(batch))) await drained(response)
    }
    response.end(DONE_EVENT)
  } catch (error) {
    if (response.destroyed) return
    response.end(errorFrame(error, requestIdOf(response, more)))
  } finally {
    response.off('close', onClose)
    answer.end()
  }
}

/** The id that a response names: in the headers that were written with it, or set before. */
export function requestIdOf(response: ServerResponse, more: HeaderFields): string | undefined {
  const requestId = more['x-request-id'] ?? response.getHeader('x-request-id')
  return typeof requestId === 'string' ? requestId : undefined
}

function writeHead(answer: ReadableAnswer, response: ServerResponse, headers: HeaderFields): void {
  try {
    response.writeHead(200, headers)
  } catch (error) {
    answer.giveBack(error)
    throw error
  }
}

/** The answer as a web `Response`. */
export function toResponse(answer: ReadableAnswer): Response {
  try {
    const head = new Headers({ ...(answer.streams ? EVENT_STREAM : JSON_BODY), ...answer.headers })
    return new Response(answer.streams ? eventStream(answer) : jsonBody(answer), { headers: head })
  } catch (error) {
    answer.giveBack(error)
    throw error
  }
}

function jsonBody(answer: ReadableAnswer): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(Buffer.from(await answer.wholeText()))
      controller.close()
      answer.complete()
    },
    cancel: () => answer.end(),
  })
}

function eventStream(answer: ReadableAnswer): ReadableStream<Uint8Array> {
  const texts = answer.texts()
  return new ReadableStream<Uint8Array>({
    start(controller) {
      answer.onReaderTimeout(() => {
        controller.error(readerTimedOut())
        texts.return(undefined).catch(() => undefined)
      })
    },
    async pull(controller) {
      try {
        const next = await texts.next()
        controller.enqueue(Buffer.from(next.done ? DONE_EVENT : formatChunk(next.value)))
        if (next.done) controller.close()
      } catch (error) {
        controller.enqueue(Buffer.from(errorFrame(error)))
        controller.close()
      }
    },
    async cancel() {
      answer.end()
      await texts.return(undefined)
    },
  })
}

function errorFrame(error: unknown, requestId?: string): string {
  return formatSseEvent(JSON.stringify(toErrorResponse(error, { requestId }).body))
}

/** Resolves when the response accepts more, or is closed. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}
