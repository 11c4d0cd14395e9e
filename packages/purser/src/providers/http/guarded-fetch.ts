import { type RequestInit, fetch as undiciFetch } from 'undici'
import { PurserError } from '../../errors.ts'
import type { GetDispatcher } from './pools.ts'

/**
 * A `fetch` for the package of one provider: it reaches one origin, over the shared sockets, and follows no redirect.
 * A package that wants to go elsewhere, for whatever reason, gets `host_not_allowed`.
 */
export function createGuardedFetch(origin: string, door: GetDispatcher): typeof globalThis.fetch {
  const guarded = async (input: string | URL | { readonly url: string }, init: RequestInit = {}) => {
    const url = new URL(typeof input === 'string' || input instanceof URL ? input : input.url)
    if (url.origin !== origin) {
      throw new PurserError('host_not_allowed', `The host '${url.hostname}' may not be called.`, {
        hint: `This provider is configured for ${origin}.`,
      })
    }
    return undiciFetch(url, { ...init, redirect: 'error', dispatcher: door() })
  }
  // undici's own Request and Response are those of the platform, with types of their own.
  return guarded as unknown as typeof globalThis.fetch
}
