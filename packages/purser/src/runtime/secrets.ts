import type { Keyring } from '../core/keyring.ts'
import { hideFromInspect } from '../core/redact.ts'
import type { Subject } from '../core/subject.ts'
import { isObject, validateFieldCount } from '../core/validate.ts'
import { PurserError, suggestion } from '../errors.ts'
import type { SecretInfo } from './api.ts'

/*
 * A user's own credentials. They are stored sealed with user, incarnation and name as associated data, so that a record
 * copied to another user, incarnation or name does not open. In memory they stay sealed until a client is built.
 */

export const SECRET_KIND = 'secret'

const FIELDS_MAX = 32
const VALUE_MAX_BYTES = 16_384

export type Credentials = Readonly<Record<string, string>>

/** A stored secret. Every sealing is different, so `sealed` also identifies the version. */
export interface SealedSecret extends SecretInfo {
  readonly sealed: string
}

/** Identifies a record that belongs to one incarnation of a user. */
export interface RecordKey {
  readonly user: Subject
  readonly incarnation: number
  readonly name: string
}

/**
 * Validates credentials passed by the application. A field that is not among `known`, and nearly one of them, is misspelt:
 * a call with it would only find a secret missing.
 */
export function parseCredentials(fields: unknown, known: readonly string[]): Credentials {
  if (!isObject(fields)) throw invalidSecret('A secret must be an object of named texts.')
  validateFieldCount(fields, FIELDS_MAX, { name: 'secret', code: 'secret_invalid' })
  const entries = Object.entries(fields)
  if (entries.length === 0) throw invalidSecret('A secret must have a field.', 'Pass null to remove the secret.')
  for (const [name, value] of entries) {
    if (!/^[A-Za-z][\w-]{0,63}$/.test(name)) {
      throw invalidSecret(
        'The field names of a secret must be 1 to 64 letters, digits, _ and -, starting with a letter.',
      )
    }
    const meant = known.includes(name) ? '' : suggestion(name, known)
    if (meant !== '') throw invalidSecret(`The provider reads no secret field '${name}'.`, meant)
    if (typeof value !== 'string' || value === '') throw invalidSecret(`The secret field '${name}' must be text.`)
    if (Buffer.byteLength(value) > VALUE_MAX_BYTES) {
      throw invalidSecret(`The secret field '${name}' must not exceed ${VALUE_MAX_BYTES.toLocaleString('en')} bytes.`)
    }
  }
  return fields as Credentials
}

export function sealSecret(keys: Keyring, key: RecordKey, fields: Credentials, updatedAt: string): string {
  return JSON.stringify({
    v: 1,
    incarnation: key.incarnation,
    fields: Object.keys(fields),
    updatedAt,
    sealed: keys.seal(JSON.stringify(fields), sealingContext(key)),
  })
}

/** Parses a record without opening it; undefined when it belongs to another incarnation. */
export function readSecret(name: string, record: string, incarnation: number): SealedSecret | undefined {
  const stored = JSON.parse(record) as SealedSecret & { incarnation: number }
  if (stored.incarnation !== incarnation) return undefined
  return { name, fields: stored.fields, updatedAt: stored.updatedAt, sealed: stored.sealed }
}

export function openSecret(keys: Keyring, key: RecordKey, secret: SealedSecret): Credentials {
  try {
    return hideFromInspect(JSON.parse(keys.open(secret.sealed, sealingContext(key))) as Credentials)
  } catch {
    // Without a cause: the error must not reveal what the record is.
    throw new PurserError('secret_missing', `The secret '${key.name}' cannot be opened.`, {
      hint: 'It was sealed for another user or with another secret key. Set it again.',
    })
  }
}

function sealingContext({ user, incarnation, name }: RecordKey): string[] {
  return ['secret', user.namespace, user.id, String(incarnation), name]
}

function invalidSecret(message: string, hint?: string): PurserError {
  return new PurserError('secret_invalid', message, { hint })
}
