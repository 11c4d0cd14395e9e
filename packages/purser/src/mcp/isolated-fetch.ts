import type { FetchLike } from '@modelcontextprotocol/client'
import { buildConnector, Client } from 'undici'
import type { Effects } from '../core/effects.ts'
import { createPublicLookup, requirePublicHost } from '../core/public-address.ts'
import { PurserError } from '../errors.ts'
import type { TrustedEndpoints } from '../runtime/oauth/api.ts'

/** One request to an authorization server, from the first packet to the last. */
const ERRAND_LIMIT_MS = 10_000
const CONNECT_LIMIT_MS = 5_000
/** Metadata and tokens are small. */
const BODY_MAX_BYTES = 65_536

const NO_BODY: readonly number[] = [204, 205, 304]
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]

/** Requests that belong together, and whether any byte of the last one may have reached a server. */
export interface IsolatedFetch {
  readonly fetch: FetchLike
  readonly wasSent: boolean
  /** Of the last answer. */
  readonly status: number | undefined
}

/**
 * Requests on sockets of their own. An MCP server names its authorization server, and that one its endpoints: so
 * only what the operator named may be an address inside, and all else is called over TLS on the public internet.
 * Nothing is tried twice by itself: each request makes one connection, and a POST follows no redirect.
 */
export function createIsolatedFetch(effects: Effects, site: TrustedEndpoints, signal?: AbortSignal): IsolatedFetch {
  const errand = { fetch: run as FetchLike, wasSent: false, status: undefined as number | undefined }
  const trusted = [site.url, ...(site.issuer === undefined ? [] : [site.issuer])].map((url) => new URL(url).origin)

  async function run(input: string | URL, init: RequestInit = {}): Promise<Response> {
    const url = new URL(input)
    const isTrusted = trusted.includes(url.origin)
    if (!isTrusted) requireOutside(url)
    errand.wasSent = false
    errand.status = undefined
    const connector = buildConnector({
      timeout: CONNECT_LIMIT_MS,
      ...(isTrusted ? {} : { lookup: createPublicLookup() }),
    })
    const client = new Client(url.origin, {
      maxResponseSize: BODY_MAX_BYTES,
      connect(options, callback) {
        if (errand.wasSent) return callback(new Error('A request is sent once.'), null)
        connector(options, (...[error, socket]) => {
          if (error !== null) return callback(error, null)
          errand.wasSent = true
          callback(null, socket)
        })
      },
    })
    const limit = new AbortController()
    const cancel = effects.setTimer(() => limit.abort(new Error('There was no answer in time.')), ERRAND_LIMIT_MS)
    try {
      const answer = await client.request({
        path: url.pathname + url.search,
        method: (init.method ?? 'GET') as 'GET' | 'POST',
        headers: Object.fromEntries(new Headers(init.headers)),
        body: init.body === undefined || init.body === null ? null : String(init.body),
        signal: signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]),
      })
      errand.status = answer.statusCode
      return await responseOf(answer, init.method)
    } finally {
      cancel()
      await client.destroy()
    }
  }
  return errand
}

type Answer = Awaited<ReturnType<Client['request']>>

/** An answer that may go on for ever, as an open stream of events does, is not read. */
async function responseOf({ statusCode, headers, body }: Answer, method: string | undefined): Promise<Response> {
  if (method === 'POST' && REDIRECTS.includes(statusCode)) throw new Error('The server redirects what it should take.')
  const named = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((each): [string, string] => [name, each]),
  )
  const isStream = String(headers['content-type'] ?? '').startsWith('text/event-stream')
  const text = isStream || NO_BODY.includes(statusCode) ? null : await body.text()
  return new Response(text, { status: statusCode, headers: named })
}

function requireOutside(url: URL): void {
  if (url.protocol !== 'https:') {
    throw new PurserError('host_not_allowed', `The host '${url.hostname}' may only be called over https.`, {
      hint: 'The operator may name an authorization server as oauth.issuer.',
    })
  }
  requirePublicHost(url)
}
