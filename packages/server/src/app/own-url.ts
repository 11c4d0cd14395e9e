import type { IncomingMessage } from 'node:http'

/** Paths of the server, after the prefix. */
const OWN_PATHS = /^\/(v1|api|deck|livez|readyz|metrics|openapi\.json)(\/|\?|$)/

/**
 * The URL under which this server knows a request; undefined for a request of another handler. A host may remove the path
 * of a mount, and Express leaves the whole one in `originalUrl`.
 */
export function findOwnUrl(
  { url = '/', originalUrl }: Pick<IncomingMessage, 'url'> & { readonly originalUrl?: string },
  prefix: string,
): string | undefined {
  return [url, originalUrl].find((candidate) => candidate !== undefined && isOwn(candidate, prefix))
}

/** The path of a web request under which this server knows it, with the prefix that the host may have removed. */
export function restorePrefix(path: string, prefix: string): string {
  return !isOwn(path, prefix) && isOwn(path, '') ? prefix + path : path
}

function isOwn(url: string, prefix: string): boolean {
  return url.startsWith(prefix) && OWN_PATHS.test(url.slice(prefix.length))
}
