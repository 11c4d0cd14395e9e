import type { ClientRequest, IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { type Effects, PurserError } from 'purser'
import { createPublicLookup, requirePublicHost } from 'purser/internal'
import { http } from '../http/node-http.ts'

/** Time for the whole exchange. */
const TIMEOUT_MS = 15_000
/** More of a response is not read. */
const MAX_RESPONSE_BYTES = 16_384

export interface WebhookRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

export type WebhookResponse =
  | { readonly ok: true; readonly status: number }
  | {
      readonly ok: false
      readonly status: number | null
      /** A short reason that names no address. */
      readonly error: string
      readonly retryAfterMs: number | null
    }

/** Sends one request to a receiver. Never rejects. */
export type PostWebhook = (request: WebhookRequest) => Promise<WebhookResponse>

export interface PostWebhookDeps {
  readonly effects: Effects
  /** Private addresses and plain http are allowed. */
  readonly allowPrivate: boolean
  /** Default: that of the system. */
  readonly lookup?: LookupFunction
}

/**
 * Posts over a connection of its own. The address that the name is resolved to is checked and connected to in one step, and
 * redirects are not followed, so no receiver can be used to reach the network of this server.
 */
export function createPostWebhook({ effects, allowPrivate, lookup }: PostWebhookDeps): PostWebhook {
  const publicLookup = allowPrivate ? lookup : createPublicLookup(lookup)
  return async ({ url: text, headers, body, signal }) => {
    const timeout = new AbortController()
    const cancelTimer = effects.setTimer(() => timeout.abort(new Error('timeout')), TIMEOUT_MS, { background: true })
    try {
      const url = requireReceiver(text, allowPrivate)
      const init = {
        method: 'POST',
        agent: false as const,
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
        signal: AbortSignal.any([signal, timeout.signal]),
        ...(publicLookup === undefined ? {} : { lookup: publicLookup }),
      }
      return await exchange(url.protocol === 'https:' ? requestHttps(url, init) : http.request(url, init), body)
    } catch (error) {
      return {
        ok: false,
        status: null,
        error: timeout.signal.aborted ? 'timeout' : reasonOf(error),
        retryAfterMs: null,
      }
    } finally {
      cancelTimer()
    }
  }
}

/** The URL of a receiver. Throws `argument_invalid`, and `host_not_allowed` for a private one. */
export function requireReceiver(text: unknown, allowPrivate: boolean): URL {
  const url = typeof text === 'string' && text.length <= URL_MAX_CHARACTERS ? URL.parse(text) : null
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalidUrl('must be an https URL')
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    throw invalidUrl('must not have a user, a password or a fragment')
  if (allowPrivate) return url
  if (url.protocol !== 'https:') throw invalidUrl('must be an https URL', ALLOW_HINT)
  if (LOCAL_NAME.test(url.hostname)) throw privateHost()
  try {
    requirePublicHost(url)
  } catch {
    throw privateHost()
  }
  return url
}

const URL_MAX_CHARACTERS = 2_048
const LOCAL_NAME = /(^|\.)localhost\.?$/
const ALLOW_HINT = 'server.allowPrivateWebhooks allows plain http and private addresses.'

function invalidUrl(rule: string, hint?: string): PurserError {
  return new PurserError('argument_invalid', `'url' ${rule}.`, { hint, details: { param: 'url' } })
}

function privateHost(): PurserError {
  return new PurserError('host_not_allowed', 'A webhook must be on the public internet.', {
    hint: ALLOW_HINT,
    details: { param: 'url' },
  })
}

function exchange(request: ClientRequest, body: string): Promise<WebhookResponse> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    let isAnswered = false
    request.on('response', (response) => {
      isAnswered = true
      readEnd(response).then(() => resolve(toOutcome(response)), reject)
    })
    // Without this, Node would close the connection without an error.
    request.on('upgrade', (response, socket) => {
      socket.destroy()
      resolve(toOutcome(response))
    })
    // The response has events of its own, which may come later.
    request.on('close', () => isAnswered || reject(new Error('closed')))
    request.end(body)
  })
}

/** Resolves at the end of the response, or when it is too long to be read. */
function readEnd(response: IncomingMessage): Promise<void> {
  let bytes = 0
  return new Promise((resolve, reject) => {
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= MAX_RESPONSE_BYTES) return
      resolve()
      response.destroy()
    })
    response.on('end', resolve)
    response.on('error', reject)
    response.on('close', () => reject(new Error('closed')))
  })
}

function toOutcome({ statusCode: status = 0, headers }: IncomingMessage): WebhookResponse {
  if (status >= 200 && status < 300) return { ok: true, status }
  const seconds = /^\d{1,9}$/.exec(headers['retry-after'] ?? '')?.[0]
  const retryAfterMs = seconds === undefined ? null : Number(seconds) * 1_000
  return { ok: false, status, error: `status ${status}`, retryAfterMs }
}

/** The code of an error, such as `ECONNREFUSED`: its message may name an address. */
function reasonOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : 'connection failed'
}
