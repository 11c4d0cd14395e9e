import { PurserError } from '../../errors.ts'

/**
 * The headers of a call as names and values in turn; of two names that differ in case only, the later one counts. Throws
 * `secret_invalid` for a key or header that HTTP cannot carry.
 */
export function createRequestHeaders(provider: string, headers: Readonly<Record<string, string>>): string[] {
  const all = new Map([['accept-encoding', 'identity']])
  for (const [name, value] of Object.entries(headers)) all.set(name.toLowerCase(), value)
  for (const value of all.values()) {
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new PurserError('secret_invalid', `A key or header of the provider '${provider}' is not a header value.`, {
        hint: 'It contains a line break or another character that HTTP does not allow; set it again.',
      })
    }
  }
  return [...all].flat()
}
