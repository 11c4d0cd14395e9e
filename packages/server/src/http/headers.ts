import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { HttpError } from '../app/errors.ts'

/**
 * The text of a header; undefined without one. Header bytes are UTF-8, which Node decodes as Latin-1. All headers are
 * read through this function, because two decodings would turn one user id or session into two. Repeated headers are
 * joined, as Node does. Throws an `HttpError` with `code` when the bytes are not UTF-8.
 */
export function getHeader(
  headers: IncomingHttpHeaders,
  name: string,
  code = 'invalid_request_error',
): string | undefined {
  const value = headers[name]
  const latin1 = Array.isArray(value) ? value.join(', ') : value
  if (latin1 === undefined || !/[\x80-\xff]/.test(latin1)) return latin1
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(latin1, 'latin1'))
  } catch {
    throw new HttpError(400, code, `The header ${name} is not valid UTF-8.`, {
      param: name,
      hint: 'Encode the header value as UTF-8.',
    })
  }
}

/** Headers that say who a caller is or what a call does, beside all `x-purser-…`. They may be sent only once. */
const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'authorization',
  'x-api-key',
  'x-openwebui-user-id',
  'x-litellm-end-user-id',
  'idempotency-key',
  'last-event-id',
])

/**
 * Throws 400 for a repeated header of those. Of some, Node takes the first; others it joins to the name of a third user;
 * a proxy before this server may take the last.
 */
export function rejectRepeatedHeaders({ headers, rawHeaders }: IncomingMessage): void {
  if (2 * countFields(headers) === rawHeaders.length) return
  const seen: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    if (!SINGLE_HEADERS.has(name) && !name.startsWith('x-purser-')) continue
    if (seen.includes(name)) {
      throw new HttpError(400, 'invalid_request_error', `The header ${name} must be sent only once.`, { param: name })
    }
    seen.push(name)
  }
}

function countFields(headers: IncomingHttpHeaders): number {
  let count = 0
  for (const _ in headers) count++
  return count
}

/** Encodes text as a header value that `getHeader` decodes. */
export function encodeHeader(text: string): string {
  return Buffer.from(text).toString('latin1')
}
