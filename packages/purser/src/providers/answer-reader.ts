import type { Effects } from '../core/effects.ts'
import { stringifyJson } from '../core/json-pieces.ts'
import { parseLargeJson } from '../core/parse-json-in-steps.ts'
import { isObject } from '../core/validate.ts'
import { whenReady } from '../core/when-ready.ts'
import { PurserError } from '../errors.ts'
import type { ChatChunk, ChatCompletion } from '../openai/chat.ts'
import type { ChatAnswer } from '../openai/chat-model.ts'
import { toChunks, usageOf } from '../openai/completion.ts'
import { findError } from '../openai/find-error.ts'
import { ChunkMerger } from '../openai/merge-chunks.ts'
import { normalizeCompletion } from '../openai/normalize-completion.ts'
import { isComment } from '../openai/sse.ts'
import { type ChunkStream, createChunkStream } from './chunk-stream.ts'
import type { ChunkTimeouts } from './chunk-timeouts.ts'
import { sniffBody } from './http/answer-form.ts'
import { canDecodeBody, decodeBody } from './http/decoded-body.ts'
import { mapHttpError, mapInBandError, parseJson } from './http/errors.ts'
import { type ByteReader, type ResponseHead, readPrefix, readText, tooLarge } from './http/http-call.ts'
import { createSseChunkSource } from './http/sse-chunk-source.ts'

/** Limits for one answer beside `maxResponseBytes`, bytes. */
export const RESPONSE_MAX_BYTES = { stream: 268_435_456, error: 65_536 } as const

export interface AnswerReaderDeps {
  readonly effects: Effects
  readonly provider: string
  /** Limit for a completion, and for one event of a stream. */
  readonly maxResponseBytes: number
  /** Masks keys in what is quoted. */
  readonly redact: (text: string) => string
}

export interface ReadAnswerOptions {
  /** Whether the caller reads a stream. */
  readonly isStream: boolean
  readonly timeouts: ChunkTimeouts
  readonly mapError: (cause: unknown) => unknown
}

/** Reads the answer of an upstream from its head on: at once if it has arrived, and is neither large nor a stream. */
export type ReadAnswer = (
  head: ResponseHead,
  upstream: ByteReader,
  options: ReadAnswerOptions,
) => ChatAnswer | Promise<ChatAnswer>

/**
 * Creates a reader of chat completions. It throws, or rejects with, the error that an answer reports, and `upstream_failed` for
 * one that is no completion.
 */
export function createAnswerReader({ effects, provider, maxResponseBytes, redact }: AnswerReaderDeps): ReadAnswer {
  const createError = (error: unknown): PurserError => mapInBandError(provider, error, redact)
  const createId = (): string => effects.randomId()

  function readAnswer(
    head: ResponseHead,
    upstream: ByteReader,
    options: ReadAnswerOptions,
  ): ChatAnswer | Promise<ChatAnswer> {
    const header = head.headers['content-encoding']
    if (head.status < 200 || head.status > 299) return readError(head, upstream)
    const decoded = decodeBody(upstream, { header, maxBytes: maxResponseBytes })
    return whenReady(sniffBody(decoded, head.headers['content-type']), ({ form, body }) =>
      form === 'events' ? readEvents(body, options) : readJson(body, options),
    )
  }

  async function readError({ status, headers }: ResponseHead, upstream: ByteReader): Promise<never> {
    const header = headers['content-encoding']
    const body = canDecodeBody(header) ? decodeBody(upstream, { header, maxBytes: maxResponseBytes }) : upstream
    const text = await readPrefix(body, RESPONSE_MAX_BYTES.error)
    throw mapHttpError({ provider, status, headers, text, now: effects.now(), redact })
  }

  async function readEvents(body: ByteReader, options: ReadAnswerOptions): Promise<ChatAnswer> {
    body.limitTo(Math.max(RESPONSE_MAX_BYTES.stream, maxResponseBytes))
    const source = createSseChunkSource({ provider, body, createError, createId, maxEventBytes: maxResponseBytes })
    const chunks = createChunkStream({ source, ...options })
    await chunks.start()
    if (options.isStream) return { kind: 'stream', chunks }
    return { kind: 'completion', text: await readCompletion(chunks, maxResponseBytes) }
  }

  /** At once for an answer that has arrived, unless it is large. */
  function readJson(body: ByteReader, options: ReadAnswerOptions): ChatAnswer | Promise<ChatAnswer> {
    return whenReady(whenReady(readText(body), parseCompletion), (parsed) => {
      options.timeouts.clear()
      return toAnswer(parsed, options.isStream)
    })
  }

  function toAnswer(answer: ParsedAnswer | undefined, isStream: boolean): ChatAnswer | Promise<ChatAnswer> {
    if (answer === undefined) throw notACompletion(provider)
    const error = findError(answer.value)
    if (error !== undefined) throw createError(error)
    const normalized = normalizeCompletion(answer.value, createId)
    if (normalized === undefined) throw notACompletion(provider)
    const { completion, isChanged } = normalized
    if (isStream) return { kind: 'stream', chunks: streamCompletion(completion) }
    const usage = usageOf(completion)
    return whenReady(isChanged ? stringifyJson(completion) : answer.text, (text) => ({
      kind: 'completion',
      text,
      usage,
    }))
  }

  return readAnswer
}

interface ParsedAnswer {
  readonly text: string
  readonly value: Record<string, unknown>
}

/** Some servers add the end of a stream to a completion. */
const TRAILING_DONE = /data:\s*\[DONE\]\s*$/

/** An answer in JSON; undefined when it is none. A list of one object, as Google reports errors, counts as that object. */
function parseCompletion(answer: string): ParsedAnswer | undefined | Promise<ParsedAnswer | undefined> {
  return whenReady(parseAnswer(answer), (value) =>
    isObject(value) ? { text: answer, value } : findCompletion(answer, value),
  )
}

async function findCompletion(answer: string, parsed: unknown): Promise<ParsedAnswer | undefined> {
  let text = answer
  let value = parsed
  if (value === undefined) {
    text = answer.replace(TRAILING_DONE, '')
    value = text === answer ? undefined : await parseAnswer(text)
  }
  if (isObject(value)) return { text, value }
  return Array.isArray(value) && isObject(value[0])
    ? { text: await stringifyJson(value[0]), value: value[0] }
    : undefined
}

function parseAnswer(text: string): unknown {
  try {
    const value = parseLargeJson(text)
    return value instanceof Promise ? value.catch(() => undefined) : value
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
