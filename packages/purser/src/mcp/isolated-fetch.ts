import type { FetchLike } from '@modelcontextprotocol/client'
import { buildConnector, Client } from 'undici'
import type { Effects } from '../core/effects.ts'
import { createPublicLookup, requirePublicHost } from '../core/public-address.ts'
import { PurserError } from '../errors.ts'
import type { TrustedEndpoints } from '../runtime/oauth/ports.ts'

/** One request to an authorization server, from connecting to the last byte. */
const REQUEST_TIMEOUT_MS = 10_000
const CONNECT_TIMEOUT_MS = 5_000
/** Metadata and token responses are small. */
const BODY_MAX_BYTES = 65_536

const STATUSES_WITHOUT_BODY: readonly number[] = [204, 205, 304]
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]

/** A fetch for the requests of one operation, and what happened to the last of them. */
export interface IsolatedFetch {
  readonly fetch: FetchLike
  /** Whether a byte of the last request may have reached a server. */
  readonly wasSent: boolean
  /** Status of the last response; undefined without one. */
  readonly status: number | undefined
}

/**
 * A fetch on sockets of its own. An MCP server names its authorization server, and that names its endpoints: only
 * origins that the operator configured may be private addresses; all others are called over TLS on the public internet.
 * Nothing is retried: each request makes one connection, and a POST follows no redirect.
 */
export function createIsolatedFetch(
  effects: Effects,
  endpoints: TrustedEndpoints,
  signal?: AbortSignal,
): IsolatedFetch {
  const state = { fetch: isolatedFetch as FetchLike, wasSent: false, status: undefined as number | undefined }
  const { url: serverURL, issuer } = endpoints
  const trustedOrigins = [serverURL, ...(issuer === undefined ? [] : [issuer])].map((url) => new URL(url).origin)

  async function isolatedFetch(input: string | URL, init: RequestInit = {}): Promise<Response> {
    const url = new URL(input)
    const isTrusted = trustedOrigins.includes(url.origin)
    if (!isTrusted) requirePublicHttps(url)
    state.wasSent = false
    state.status = undefined
    const connector = buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      ...(isTrusted ? {} : { lookup: createPublicLookup() }),
    })
    const client = new Client(url.origin, {
      maxResponseSize: BODY_MAX_BYTES,
      connect(options, callback) {
        if (state.wasSent) return callback(new Error('A request makes one connection only.'), null)
        connector(options, (...[error, socket]) => {
          if (error !== null) return callback(error, null)
          state.wasSent = true
          callback(null, socket)
        })
      },
    })
    const timeout = new AbortController()
    const onTimeout = () => timeout.abort(new Error('The request timed out.'))
    const cancelTimer = effects.setTimer(onTimeout, REQUEST_TIMEOUT_MS)
    try {
      const response = await client.request({
        path: url.pathname + url.search,
        method: (init.method ?? 'GET') as 'GET' | 'POST',
        headers: Object.fromEntries(new Headers(init.headers)),
        body: init.body === undefined || init.body === null ? null : String(init.body),
        signal: signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]),
      })
      state.status = response.statusCode
      return await toFetchResponse(response, init.method)
    } finally {
      cancelTimer()
      await client.destroy()
    }
  }
  return state
}

type UndiciResponse = Awaited<ReturnType<Client['request']>>

/** The body of an event stream, which may be endless, is not read. */
async function toFetchResponse(
  { statusCode, headers, body }: UndiciResponse,
  method: string | undefined,
): Promise<Response> {
  if (method === 'POST' && REDIRECTS.includes(statusCode)) {
    throw new Error('The server answered a POST with a redirect, which is not followed.')
  }
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((each): [string, string] => [name, each]),
  )
  const isStream = String(headers['content-type'] ?? '').startsWith('text/event-stream')
  const text = isStream || STATUSES_WITHOUT_BODY.includes(statusCode) ? null : await body.text()
  return new Response(text, { status: statusCode, headers: pairs })
}

function requirePublicHttps(url: URL): void {
  if (url.protocol !== 'https:') {
    throw new PurserError('host_not_allowed', `The host '${url.hostname}' may only be called over https.`, {
      hint: 'The operator may configure an authorization server as oauth.issuer.',
    })
  }
  requirePublicHost(url)
}
