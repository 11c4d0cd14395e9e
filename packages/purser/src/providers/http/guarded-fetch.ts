import { type Dispatcher, type RequestInit, fetch as undiciFetch } from 'undici'
import { PurserError } from '../../errors.ts'
import type { GetDispatcher } from './pools.ts'

/**
 * A `fetch` for the package of one provider: it reaches one origin through the shared sockets and follows no redirect.
 * Requests to any other origin reject with `host_not_allowed`.
 */
export function createGuardedFetch(origin: string, getDispatcher: GetDispatcher): typeof globalThis.fetch {
  const guardedFetch = async (input: string | URL | { readonly url: string }, init: RequestInit = {}) => {
    const url = new URL(typeof input === 'string' || input instanceof URL ? input : input.url)
    if (url.origin !== origin) {
      throw new PurserError('host_not_allowed', `The host '${url.hostname}' is not allowed.`, {
        hint: `This provider is configured for ${origin}.`,
      })
    }
    const dispatcher = withText(getDispatcher(), init.body)
    return undiciFetch(url, { ...init, redirect: 'error', dispatcher })
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
