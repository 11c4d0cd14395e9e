import { inspect } from 'node:util'

const MASK = '[redacted]'

/** Shorter texts cannot be secrets, and would be masked inside ordinary words. */
const SECRET_MIN_LENGTH = 4

/** Returns a function that masks these secrets in a text, in every encoding in which they usually appear. */
export function createRedactor(secrets: Iterable<string>): (text: string) => string {
  const patterns = [...secrets].filter((secret) => secret.length >= SECRET_MIN_LENGTH).flatMap(encodingsOf)
  return (text) => patterns.reduce((redacted, pattern) => redacted.replaceAll(pattern, MASK), text)
}

/** A piece of a header value that is as long as this may be a key of its own. */
const KEY_MIN_LENGTH = 8

/** The values of configured headers, and the keys in them, such as the token of `Bearer TOKEN`. */
export function secretsInHeaders(headers: Readonly<Record<string, string>>): string[] {
  return Object.values(headers).flatMap((value) => {
    const [, ...pieces] = value.split(/[\s;,=]+/)
    return [value, ...pieces.filter((piece) => piece.length >= KEY_MIN_LENGTH)]
  })
}

/** The values in the query of a configured address. */
export function secretsInQuery(url: URL | undefined): string[] {
  return [...(url?.searchParams.values() ?? [])]
}

/** A copy of an error and its causes with these secrets masked. It does not refer to the original. */
export function redactError(error: unknown, secrets: Iterable<string>): Error {
  const redact = createRedactor(secrets)
  const original = error instanceof Error ? error : new Error(String(error))
  const redacted = new Error(redact(original.message))
  redacted.name = redact(original.name)
  redacted.stack = redact(original.stack ?? `${redacted.name}: ${redacted.message}`)
  const { code } = original as Error & { code?: unknown }
  if (typeof code === 'string' || typeof code === 'number') Object.assign(redacted, { code })
  if (original.cause !== undefined && original.cause !== original) {
    redacted.cause = redactError(original.cause, secrets)
  }
  return redacted
}

/** A frozen copy whose fields can be read, but do not appear when it is inspected or serialized to JSON. */
export function hideFromInspect<Fields extends object>(fields: Fields): Fields {
  const mask = { value: () => MASK, enumerable: false }
  return Object.freeze(Object.defineProperties({ ...fields }, { toJSON: mask, [inspect.custom]: mask }))
}

/** The secret as it appears in plain text, URLs, JSON strings and basic authentication headers; longest first. */
function encodingsOf(secret: string): string[] {
  const encodings = [secret, encodeURIComponent(secret), encodeURI(secret), JSON.stringify(secret).slice(1, -1)]
  encodings.push(Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url'))
  return [...new Set(encodings)].sort((a, b) => b.length - a.length)
}
