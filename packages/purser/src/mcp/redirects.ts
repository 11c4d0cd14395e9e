import type { FetchLike } from '@modelcontextprotocol/client'

const REDIRECTS_MAX = 3
/** The ones that repeat the request as it was. */
const REPEATING: readonly number[] = [307, 308]

/**
 * Follows redirects of a server to another of its own addresses, such as one with a slash at its end. Requests carry the
 * headers and secrets that were configured for this server, so that they go to no other one: that rejects.
 */
export function followWithinOrigin(fetch: FetchLike): FetchLike {
  return async (input, init) => {
    let url = new URL(input)
    for (let followed = 0; ; followed++) {
      const response = await fetch(url, init)
      const location = response.headers.get('location')
      if (response.status < 300 || response.status > 399 || location === null) return response
      await response.body?.cancel()
      const target = URL.canParse(location, url) ? new URL(location, url) : undefined
      const isFollowed =
        REPEATING.includes(response.status) && followed < REDIRECTS_MAX && target?.origin === url.origin
      if (!isFollowed || target === undefined) throw new Error('The MCP server redirects the request elsewhere.')
      url = target
    }
  }
}
