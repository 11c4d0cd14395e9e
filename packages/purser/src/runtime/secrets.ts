import { inspect } from 'node:util'
import { PurserError } from '../errors.ts'
import type { Subject } from '../identity.ts'
import type { Keys } from '../keys.ts'
import { isJsonObject } from './patch.ts'
import type { SecretInfo } from './port.ts'

/*
 * A user's own credentials. They are stored sealed, with their owner and their place as associated data, so that a
 * record that was moved to another user, another life or another name does not open. In memory they stay sealed
 * until a client is built from them.
 */

export const SECRET_KIND = 'secret'

const FIELDS_MAX = 32
const VALUE_MAX_BYTES = 16_384

export type Credentials = Readonly<Record<string, string>>

/** One secret as stored. Every sealing is different, so `sealed` also tells one version from the next. */
export interface SealedSecret extends SecretInfo {
  readonly sealed: string
}

export interface SecretPlace {
  readonly user: Subject
  readonly incarnation: number
  readonly name: string
}

/** Checks fields as an application gives them. */
export function checkCredentials(fields: unknown): Credentials {
  if (!isJsonObject(fields)) throw invalid('is not an object of named texts')
  const entries = Object.entries(fields)
  if (entries.length === 0) throw invalid('has no field', 'Give null to remove it.')
  if (entries.length > FIELDS_MAX) throw invalid(`has more than ${FIELDS_MAX} fields`)
  for (const [name, value] of entries) {
    if (!/^[A-Za-z][\w-]{0,63}$/.test(name)) throw invalid('has a field whose name is not a plain word')
    if (typeof value !== 'string' || value === '') throw invalid(`has no text in its field '${name}'`)
    if (Buffer.byteLength(value) > VALUE_MAX_BYTES) throw invalid(`is too long in its field '${name}'`)
  }
  return fields as Credentials
}

export function sealSecret(keys: Keys, place: SecretPlace, fields: Credentials, updatedAt: string): string {
  return JSON.stringify({
    v: 1,
    incarnation: place.incarnation,
    fields: Object.keys(fields),
    updatedAt,
    sealed: keys.seal(JSON.stringify(fields), contextOf(place)),
  })
}

/** Reads a record without opening it; undefined when it belongs to another life. */
export function readSecret(name: string, record: string, incarnation: number): SealedSecret | undefined {
  const stored = JSON.parse(record) as SealedSecret & { incarnation: number }
  if (stored.incarnation !== incarnation) return undefined
  return { name, fields: stored.fields, updatedAt: stored.updatedAt, sealed: stored.sealed }
}

export function openSecret(keys: Keys, place: SecretPlace, secret: SealedSecret): Credentials {
  try {
    return guarded(JSON.parse(keys.open(secret.sealed, contextOf(place))) as Credentials)
  } catch {
    // What failed to open is not attached: whoever moved the record learns nothing from the error.
    throw new PurserError('secret_missing', `The secret '${place.name}' cannot be opened.`, {
      hint: 'It was sealed for another user or with another key. Set it again.',
    })
  }
}

/** Credentials that can be read field by field, and show nothing when they are printed or turned into JSON. */
export function guarded(fields: Credentials): Credentials {
  const hide = { value: () => '[redacted]', enumerable: false }
  return Object.freeze(Object.defineProperties({ ...fields }, { toJSON: hide, [inspect.custom]: hide }))
}

/** What a client failed with, told again without the secrets it was given. The original is not kept. */
export function redactedCause(error: unknown, secrets: Iterable<string>): Error {
  const redact = redactionOf(secrets)
  const original = error instanceof Error ? error : new Error(String(error))
  const told = new Error(redact(original.message))
  told.name = redact(original.name)
  told.stack = redact(original.stack ?? `${told.name}: ${told.message}`)
  const { code } = original as Error & { code?: unknown }
  if (typeof code === 'string' || typeof code === 'number') Object.assign(told, { code })
  if (original.cause !== undefined && original.cause !== original) {
    told.cause = redactedCause(original.cause, secrets)
  }
  return told
}

export function redactedText(text: string, secrets: Iterable<string>): string {
  return redactionOf(secrets)(text)
}

function redactionOf(secrets: Iterable<string>): (text: string) => string {
  const spellings = [...secrets].filter((secret) => secret.length > 3).flatMap(spellingsOf)
  return (text) => spellings.reduce((rest, each) => rest.replaceAll(each, '[redacted]'), text)
}

/** A secret inside a URL, a JSON text or a basic-authentication header looks different. */
function spellingsOf(secret: string): string[] {
  const spellings = [secret, encodeURIComponent(secret), encodeURI(secret), JSON.stringify(secret).slice(1, -1)]
  spellings.push(Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url'))
  return [...new Set(spellings)].sort((a, b) => b.length - a.length)
}

function contextOf({ user, incarnation, name }: SecretPlace): string[] {
  return ['secret', user.namespace, user.id, String(incarnation), name]
}

function invalid(fault: string, hint?: string): PurserError {
  return new PurserError('secret_invalid', `The secret ${fault}.`, { hint })
}
