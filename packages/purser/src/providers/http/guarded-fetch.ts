import { TransformStream } from 'node:stream/web'
import { type Dispatcher, Headers, type RequestInit, Response, fetch as undiciFetch } from 'undici'
import { PurserError } from '../../errors.ts'
import { tooLarge } from './http-call.ts'
import { type GetDispatcher, POOL_LIMITS } from './pools.ts'

export interface GuardedFetchDeps {
  readonly origin: string
  readonly getDispatcher: GetDispatcher
  /** Limit for a JSON answer. */
  readonly maxResponseBytes: number
}

/**
 * A `fetch` for the package of one provider: it reaches one origin through the shared sockets and follows no redirect.
 * Requests to any other origin reject with `host_not_allowed`. A JSON answer, and an encoded one after it was decoded,
 * is limited as those of other providers are.
 */
export function createGuardedFetch(deps: GuardedFetchDeps): typeof globalThis.fetch {
  const { origin, getDispatcher, maxResponseBytes } = deps
  const guardedFetch = async (input: string | URL | { readonly url: string }, init: RequestInit = {}) => {
    const url = new URL(typeof input === 'string' || input instanceof URL ? input : input.url)
    if (url.origin !== origin) {
      throw new PurserError('host_not_allowed', `The host '${url.hostname}' is not allowed.`, {
        hint: `This provider is configured for ${origin}.`,
      })
    }
    const headers = new Headers(init.headers)
    headers.set('accept-encoding', 'identity')
    const dispatcher = withText(getDispatcher(), init.body)
    const response = await undiciFetch(url, { ...init, headers, redirect: 'error', dispatcher })
    if (/\bjson\b/i.test(response.headers.get('content-type') ?? '')) return limitBody(response, maxResponseBytes)
    return response.headers.has('content-encoding') ? limitBody(response, POOL_LIMITS.maxResponseBytes) : response
  }
  // undici's Request and Response are those of the platform, with types of their own.
  return guardedFetch as unknown as typeof globalThis.fetch
}

/** `fetch` turns a text into a stream, which can be read only once; as a text the request can be repeated. */
function withText(dispatcher: Dispatcher, body: RequestInit['body']): Dispatcher {
  if (typeof body !== 'string') return dispatcher
  const dispatch: Dispatcher['dispatch'] = (options, handler) => dispatcher.dispatch({ ...options, body }, handler)
  return { dispatch } as Dispatcher
}

/** The same response; reading more than `maxBytes` of its body rejects with `upstream_failed` and ends the call. */
function limitBody(response: Response, maxBytes: number): Response {
  if (response.body === null) return response
  let bytes = 0
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.length
      if (bytes > maxBytes) controller.error(tooLarge(maxBytes))
      else controller.enqueue(chunk)
    },
  })
  const { status, statusText, headers } = response
  return new Response(response.body.pipeThrough(limit), { status, statusText, headers })
}
