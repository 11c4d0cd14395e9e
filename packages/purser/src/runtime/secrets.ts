import type { Keyring } from '../core/keyring.ts'
import { isJsonObject } from '../core/merge-patch.ts'
import { hideFromInspect } from '../core/redact.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { SecretInfo } from './api.ts'

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

export function sealSecret(keys: Keyring, place: SecretPlace, fields: Credentials, updatedAt: string): string {
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

export function openSecret(keys: Keyring, place: SecretPlace, secret: SealedSecret): Credentials {
  try {
    return hideFromInspect(JSON.parse(keys.open(secret.sealed, contextOf(place))) as Credentials)
  } catch {
    // What failed to open is not attached: whoever moved the record learns nothing from the error.
    throw new PurserError('secret_missing', `The secret '${place.name}' cannot be opened.`, {
      hint: 'It was sealed for another user or with another key. Set it again.',
    })
  }
}

function contextOf({ user, incarnation, name }: SecretPlace): string[] {
  return ['secret', user.namespace, user.id, String(incarnation), name]
}

function invalid(fault: string, hint?: string): PurserError {
  return new PurserError('secret_invalid', `The secret ${fault}.`, { hint })
}
