import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from '../app/errors.ts'

/**
 * The text of a header; undefined without one. Its bytes are UTF-8, which Node hands over as Latin-1: one way of
 * reading them for all, because two would make two people, or two sessions, one. A header that came more than once is
 * joined, as Node does. Throws `code` for bytes that are no UTF-8.
 */
export function headerText(
  headers: IncomingHttpHeaders,
  name: string,
  code = 'invalid_request_error',
): string | undefined {
  const given = headers[name]
  const bytes = Array.isArray(given) ? given.join(', ') : given
  if (bytes === undefined || !/[\x80-\xff]/.test(bytes)) return bytes
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'))
  } catch {
    throw new HttpError(400, code, `The header ${name} is not UTF-8.`, {
      param: name,
      hint: 'Send the bytes of the text in UTF-8.',
    })
  }
}

/** What has to stand in a header so that `headerText` reads `text`. */
export function headerBytes(text: string): string {
  return Buffer.from(text).toString('latin1')
}
