import { PurserError } from 'purser'

/** Keys from the environment of the process instead of the store. */
export interface EnvironmentKeys {
  readonly service?: string | undefined
  readonly admin?: string | undefined
}

/** Characters of a key. A longer one would not fit a header with others. */
const MAX_LENGTH = 1_024
/** On every address. */
const MIN_LENGTH = 16
/** Different characters: one character repeated is not a key. */
const MIN_DIFFERENT = 8
/** What a key must have where others can reach the server, and should have everywhere. */
export const STRONG_KEY_LENGTH = 32

const HINT =
  'Set PURSER_SERVICE_KEY and PURSER_ADMIN_KEY to different keys, for example from `openssl rand -base64 32`.'
const VARIABLES = { service: 'PURSER_SERVICE_KEY', admin: 'PURSER_ADMIN_KEY' } as const

/**
 * Throws `option_invalid` for a key that can be guessed, and for one that no client can send in a header. Unlike keys of
 * the store, these are chosen by people.
 */
export function validateEnvironmentKeys(keys: EnvironmentKeys): void {
  validateKeyFormat(keys)
  for (const [role, key] of listKeys(keys)) {
    if (key.length < MIN_LENGTH || new Set(key).size < MIN_DIFFERENT) throw invalidKey(role)
  }
}

/** As `validateEnvironmentKeys`, without its check of the strength: a host may pass short keys on loopback, as tests do. */
export function validateKeyFormat(keys: EnvironmentKeys): void {
  // With one key for both roles, either an application could act as admin or an admin could do nothing.
  if (keys.service && keys.service === keys.admin)
    throw invalidKeys('The service key and the admin key of the environment are the same.')
  for (const [role, key] of listKeys(keys)) {
    if (!/^[\x21-\x7e]*$/.test(key) || key.length > MAX_LENGTH) throw invalidKey(role)
  }
}

/** The variables whose keys are shorter than 32 characters. */
export function findShortKeys(keys: EnvironmentKeys): string[] {
  return listKeys(keys).flatMap(([role, key]) => (key.length < STRONG_KEY_LENGTH ? [VARIABLES[role]] : []))
}

/** Throws `option_invalid` when a server that others can reach would accept a short key. */
export function requireStrongKeys(keys: EnvironmentKeys, host: string): void {
  const [variable] = findShortKeys(keys)
  if (variable === undefined) return
  throw invalidKeys(`Cannot listen on ${host} while ${variable} is shorter than ${STRONG_KEY_LENGTH} characters.`)
}

/** An empty variable counts as absent. */
function listKeys({ service, admin }: EnvironmentKeys): (readonly ['service' | 'admin', string])[] {
  const keys = [['service', service] as const, ['admin', admin] as const]
  return keys.flatMap(([role, key]) => (key === undefined || key === '' ? [] : [[role, key] as const]))
}

function invalidKey(role: string): PurserError {
  return invalidKeys(`The ${role} key must be at least ${STRONG_KEY_LENGTH} ASCII characters without spaces.`)
}

function invalidKeys(message: string): PurserError {
  return new PurserError('option_invalid', message, { hint: HINT })
}
