import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { parseExactJson, parseJsonInSteps } from 'purser/internal'
import type { AppContext } from '../app/context.ts'
import { HttpError } from '../app/errors.ts'
import type { BodyBudget, BodyShare } from './body-budget.ts'
import { BodyBytes } from './body-bytes.ts'
import { isMutation } from './define-route.ts'
import { requestBody } from './expect-continue.ts'
import { hasForbiddenName, mayHideNames } from './forbidden-names.ts'
import { checkFieldCount, isTooShortToCount, JsonCounter } from './json-limits.ts'
import { NO_BODY } from './schemas.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What this request takes of the budget for bodies in memory; null before its body arrives. */
    bodyShare: BodyShare | null
  }
}

/** Parsing a longer text in one step takes milliseconds. */
const LARGE_BYTES = 65_536

/** The limit of a body of which nothing is read. */
const NO_BODY_BYTES = 4_096

/**
 * Accepts JSON bodies only. An empty body counts as absent, because some clients name a JSON body and send none. Other
 * media types and compressed bodies are rejected with 415. Sizes, values and levels are counted while a body arrives,
 * and a large one is parsed in steps, so that other requests have their turn.
 */
export function acceptJsonOnly(app: FastifyInstance, { bodyBudget: budget }: AppContext): void {
  app.decorateRequest('bodyShare', null)
  app.removeAllContentTypeParsers()
  const types = ['application/json', 'application/merge-patch+json']
  app.addContentTypeParser(types, (request: FastifyRequest, _payload: Readable, done: Done) => {
    const { bodyLimit: limitBytes, config } = request.routeOptions
    readJson(request, { limitBytes, hasExactNumbers: config.hasExactNumbers === true, budget }, done)
  })
}

type Done = (error: Error | null, body?: unknown) => void

export interface ReadJsonOptions {
  readonly limitBytes: number
  /** Whether integers beyond 2^53 stay exact. */
  readonly hasExactNumbers: boolean
  readonly budget: BodyBudget
}

/** What is read: a request of Fastify, or one that it has not routed. */
type BodyOwner = Pick<FastifyRequest, 'raw' | 'headers' | 'bodyShare'>

/**
 * Reads a JSON body, or takes what a host has read. `done` is called once: with the value, undefined for an empty body, or
 * with the error of a body that was not received, is too large or is not valid.
 */
export function readJson(request: BodyOwner, options: ReadJsonOptions, done: Done): void {
  const { raw } = request
  const refused = refuseUnread(request, options.limitBytes)
  if (refused !== undefined) done(refused)
  else if (raw.readableDidRead || raw.readableEnded) parse(() => parseBodyOfHost(raw, options), done)
  else readBytes(request, options, { onBytes: (bytes) => parse(() => parseBytes(bytes, options), done), onError: done })
}

/** The error of a body whose headers say enough. */
function refuseUnread(request: BodyOwner, limitBytes: number): HttpError | undefined {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') return unsupportedEncoding(encoding)
  return announcedBytes(request) > limitBytes ? bodyTooLarge() : undefined
}

function announcedBytes({ headers }: BodyOwner): number {
  return Number(headers['content-length'] ?? 0)
}

/** Without a promise for a small body, as most are. */
function parse(getBody: () => unknown, done: Done): void {
  let body: unknown
  try {
    body = getBody()
  } catch (error) {
    done(error as Error)
    return
  }
  if (body instanceof Promise) body.then((parsed) => done(null, parsed), done)
  else done(null, body)
}

/**
 * Rejects a body that a management route does not read, so that a caller never believes it had an effect. Register
 * before the routes.
 */
export function rejectUnreadBodies(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (!isMutation(route)) return
    route.schema = { body: NO_BODY, ...route.schema }
    if (route.schema.body === NO_BODY) route.bodyLimit ??= NO_BODY_BYTES
  })
}

/** The body that a parser of the host has read before `node()` was called, as Express leaves it: parsed, or as text. */
function parseBodyOfHost(request: IncomingMessage & { readonly body?: unknown }, options: ReadJsonOptions): unknown {
  const { body } = request
  if (typeof body === 'string' || Buffer.isBuffer(body)) {
    if (Buffer.byteLength(body) > options.limitBytes) throw bodyTooLarge()
    const bytes = new BodyBytes(0)
    bytes.push(Buffer.from(body))
    new JsonCounter().push(bytes.own())
    return parseBytes(bytes, options)
  }
  if (body !== undefined) return checkBody(body)
  throw new HttpError(500, 'body_consumed', 'The request body was read before it reached Purser.', {
    hint: 'Mount Purser before other body parsers, or leave the parsed JSON in req.body.',
  })
}

/** One of these is called once. */
interface BytesHandler {
  readonly onBytes: (bytes: BodyBytes) => void
  readonly onError: (error: Error) => void
}

function readBytes(
  request: BodyOwner,
  { limitBytes, budget }: ReadJsonOptions,
  { onBytes, onError }: BytesHandler,
): void {
  const expectedBytes = announcedBytes(request)
  const share = budget.open()
  request.bodyShare = share
  const counter = isTooShortToCount(expectedBytes) ? undefined : new JsonCounter()
  const bytes = new BodyBytes(expectedBytes)
  let hasEnded = false
  requestBody(request.raw)
  const take = (chunk: Buffer): void => {
    const length = bytes.length + chunk.length
    if (length > limitBytes) throw bodyTooLarge()
    if (!share.resize(length)) throw serverBusy()
    counter?.push(chunk)
    bytes.push(chunk)
  }
  const fail = (error: unknown): void => {
    if (hasEnded) return
    hasEnded = true
    share.resize(0)
    bytes.clear()
    onError(error as Error)
  }
  const onCut = (): void => {
    if (!hasEnded) fail(incomplete())
  }
  request.raw
    .on('data', (chunk: Buffer) => {
      if (hasEnded) return
      try {
        take(chunk)
      } catch (error) {
        fail(error)
      }
    })
    .on('end', () => {
      if (hasEnded) return
      hasEnded = true
      onBytes(bytes)
    })
    .on('error', onCut)
    .on('close', onCut)
}

/** A promise for a large body, which is parsed in steps. */
function parseBytes(bytes: BodyBytes, { hasExactNumbers }: Pick<ReadJsonOptions, 'hasExactNumbers'>): unknown {
  const parse = hasExactNumbers ? parseExactJson : JSON.parse
  try {
    if (bytes.length === 0) return undefined
    if (!bytes.isUtf8()) throw invalidUtf8()
    if (bytes.length <= LARGE_BYTES) return parseSmall(bytes, parse)
  } catch (error) {
    bytes.clear()
    throw error
  }
  return parseLarge(bytes.own(), parse).finally(() => bytes.clear())
}

async function parseLarge(bytes: Buffer, parseNumber: (text: string) => unknown): Promise<unknown> {
  const body = await parseJsonInSteps(bytes, { parseNumber }).catch(() => {
    throw invalidJson()
  })
  checkFieldCount(body)
  return body
}

function parseSmall(bytes: BodyBytes, parse: (text: string) => unknown): unknown {
  const text = bytes.toText()
  bytes.clear()
  const body = parseJson(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text, parse)
  if (mayHideNames(text)) return checkBody(body)
  checkFieldCount(body)
  return body
}

function checkBody(body: unknown): unknown {
  if (hasForbiddenName(body)) throw invalidJson()
  checkFieldCount(body)
  return body
}

function parseJson(text: string, parse: (text: string) => unknown): unknown {
  try {
    return parse(text)
  } catch {
    throw invalidJson()
  }
}

function invalidUtf8(): HttpError {
  return new HttpError(400, 'invalid_request_error', 'The request body is not valid UTF-8.')
}

function invalidJson(): HttpError {
  return new HttpError(400, 'invalid_request_error', 'The request body is not valid JSON.')
}

function bodyTooLarge(): HttpError {
  return new HttpError(413, 'invalid_request_error', 'The request body exceeds the size limit.')
}

function incomplete(): HttpError {
  return new HttpError(400, 'invalid_request_error', 'The request body was not received completely.')
}

function serverBusy(): HttpError {
  return new HttpError(503, 'server_busy', 'Too many large requests are being processed.', {
    hint: 'Send the request again in a moment.',
    headers: { 'retry-after': '1' },
  })
}

function unsupportedEncoding(encoding: string): HttpError {
  return new HttpError(415, 'invalid_request_error', `Unsupported Content-Encoding: ${encoding}.`, {
    hint: 'Send the JSON uncompressed, without Content-Encoding.',
    headers: { 'accept-encoding': 'identity' },
  })
}
