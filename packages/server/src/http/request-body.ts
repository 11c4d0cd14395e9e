import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { afterCurrentTick, parseExactJson } from 'purser/internal'
import type { AppContext } from '../app/context.ts'
import { HttpError } from '../app/errors.ts'
import { BodyBudget, type BodyShare } from './body-budget.ts'
import { BodyText } from './body-text.ts'
import { isMutation } from './define-route.ts'
import { hasForbiddenName, mayHideNames } from './forbidden-names.ts'
import { checkFieldCount, JsonCounter } from './json-limits.ts'
import { NO_BODY } from './schemas.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What this request takes of the budget for bodies in memory; null before its body arrives. */
    bodyShare: BodyShare | null
  }
}

/** Reading a longer text, or what was made of it, takes milliseconds. */
const LARGE_TEXT_CHARACTERS = 65_536

/** The limit of a body of which nothing is read. */
const NO_BODY_BYTES = 4_096

/**
 * Accepts JSON bodies only. An empty body counts as absent, because some clients name a JSON body and send none. Other
 * media types and compressed bodies are rejected with 415. Sizes, values and levels are counted while a body arrives,
 * and its text is the only copy of it when it is parsed.
 */
export function acceptJsonOnly(app: FastifyInstance, { options }: AppContext): void {
  app.decorateRequest('bodyShare', null)
  app.removeAllContentTypeParsers()
  const budget = new BodyBudget(options.maxConcurrentBodyBytes)
  const types = ['application/json', 'application/merge-patch+json']
  app.addContentTypeParser(types, async (request: FastifyRequest, payload: Readable) => {
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity') throw unsupportedEncoding(encoding)
    const { raw } = request
    const wasRead = raw.readableDidRead || raw.readableEnded
    const source = wasRead ? getBodyOfHost(raw) : await readText(request, payload, budget)
    return typeof source === 'string' ? parseText(request, source) : checkBody(source)
  })
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
function getBodyOfHost(request: IncomingMessage & { readonly body?: unknown }): unknown {
  const { body } = request
  if (typeof body === 'string' || Buffer.isBuffer(body)) {
    new JsonCounter().push(Buffer.from(body))
    return body.toString()
  }
  if (body !== undefined) return body
  throw new HttpError(500, 'body_consumed', 'The request body was read before it reached Purser.', {
    hint: 'Mount Purser before other body parsers, or leave the parsed JSON in req.body.',
  })
}

async function readText(request: FastifyRequest, payload: Readable, budget: BodyBudget): Promise<string> {
  const { bodyLimit: limitBytes } = request.routeOptions
  const expectedBytes = Number(request.headers['content-length'] ?? 0)
  if (expectedBytes > limitBytes) throw bodyTooLarge()
  const share = budget.open()
  request.bodyShare = share
  return await collect(payload, { expectedBytes, limitBytes, share })
}

interface CollectOptions {
  readonly expectedBytes: number
  readonly limitBytes: number
  readonly share: BodyShare
}

function collect(payload: Readable, { expectedBytes, limitBytes, share }: CollectOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const counter = new JsonCounter()
    const text = new BodyText(expectedBytes)
    let bytes = 0
    const take = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes > limitBytes) throw bodyTooLarge()
      if (!share.resize(bytes)) throw serverBusy()
      counter.push(chunk)
      text.push(chunk)
    }
    const onData = (chunk: Buffer): void => {
      try {
        take(chunk)
      } catch (error) {
        fail(error)
      }
    }
    const onEnd = (): void => {
      stop()
      resolve(text.take())
    }
    const onError = (): void => fail(incomplete())
    const stop = (): void => {
      payload.off('data', onData).off('end', onEnd).off('error', onError).off('close', onError)
    }
    const fail = (error: unknown): void => {
      stop()
      share.resize(0)
      text.clear()
      reject(error)
    }
    payload.on('data', onData).on('end', onEnd).on('error', onError).on('close', onError)
  })
}

async function parseText({ routeOptions }: FastifyRequest, text: string): Promise<unknown> {
  if (text === '') return undefined
  const body = parseJson(text, routeOptions.config.hasExactNumbers)
  if (mayHideNames(text)) checkBody(body)
  else checkFieldCount(body)
  // Other requests have their turn between the parser and what handles the body.
  if (text.length > LARGE_TEXT_CHARACTERS) await new Promise<void>(afterCurrentTick)
  return body
}

function checkBody(body: unknown): unknown {
  if (hasForbiddenName(body)) throw invalidJson()
  checkFieldCount(body)
  return body
}

function parseJson(text: string, hasExactNumbers: boolean | undefined): unknown {
  const json = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  try {
    return hasExactNumbers === true ? parseExactJson(json) : JSON.parse(json)
  } catch {
    throw invalidJson()
  }
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
