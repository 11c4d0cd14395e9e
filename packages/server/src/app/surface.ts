/** The gateway speaks OpenAI's format; the rest is the management API. */
export type Surface = 'gateway' | 'management'

/** The surface of a path, which need not be a route. `prefix` is where the server is mounted. */
export function getSurface(url: string, prefix: string): Surface {
  return /^\/v1(?:[/?]|$)/.test(url.slice(prefix.length)) ? 'gateway' : 'management'
}
