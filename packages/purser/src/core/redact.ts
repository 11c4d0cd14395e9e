import { inspect } from 'node:util'

const MASK = '[redacted]'

/** Texts that are shorter cannot be secrets, and would be masked in the middle of words. */
const SHORTEST_SECRET = 4

/** Masks these secrets in a text, however they are spelled there. */
export function createRedactor(secrets: Iterable<string>): (text: string) => string {
  const spellings = [...secrets].filter((secret) => secret.length >= SHORTEST_SECRET).flatMap(spellingsOf)
  return (text) => spellings.reduce((rest, each) => rest.replaceAll(each, MASK), text)
}

/** What a client failed with, told again without the secrets it was given. The original is not kept. */
export function redactError(error: unknown, secrets: Iterable<string>): Error {
  const redact = createRedactor(secrets)
  const original = error instanceof Error ? error : new Error(String(error))
  const told = new Error(redact(original.message))
  told.name = redact(original.name)
  told.stack = redact(original.stack ?? `${told.name}: ${told.message}`)
  const { code } = original as Error & { code?: unknown }
  if (typeof code === 'string' || typeof code === 'number') Object.assign(told, { code })
  if (original.cause !== undefined && original.cause !== original) {
    told.cause = redactError(original.cause, secrets)
  }
  return told
}

/** Fields that can be read one by one, and show nothing when they are printed or turned into JSON. */
export function hideFromInspect<Fields extends object>(fields: Fields): Fields {
  const hide = { value: () => MASK, enumerable: false }
  return Object.freeze(Object.defineProperties({ ...fields }, { toJSON: hide, [inspect.custom]: hide }))
}

/** A secret inside a URL, a JSON text or a basic-authentication header looks different. */
function spellingsOf(secret: string): string[] {
  const spellings = [secret, encodeURIComponent(secret), encodeURI(secret), JSON.stringify(secret).slice(1, -1)]
  spellings.push(Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url'))
  return [...new Set(spellings)].sort((a, b) => b.length - a.length)
}
