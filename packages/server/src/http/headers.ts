import type { IncomingHttpHeaders } from 'node:http'
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

/** Encodes text as a header value that `getHeader` decodes. */
export function encodeHeader(text: string): string {
  return Buffer.from(text).toString('latin1')
}
