import { randomBytes } from 'node:crypto'
import type { Keyring } from '../../core/keyring.ts'
import type { SecretPlace } from '../secrets.ts'
import type { AuthorizationServer, OAuthClient } from './ports.ts'

/*
 * Authorizations that were begun and not completed. The `state` that travels through the browser is random, is kept
 * only as a digest under a key of ours, and that digest covers whose it is: so it completes nothing for anybody else,
 * in no other life and at no other server. It is removed before the code is exchanged, hence good for one time.
 */

export const STATE_KIND = 'mcp_authorization'

/** How long a person may take at the authorization server. */
export const STATE_TTL_MS = 600_000
/** Authorizations of one user and server that may be under way, in several windows; one more ends the oldest. */
const STATES_MAX = 4

export interface BegunAuthorization {
  readonly digest: string
  readonly expiresAt: number
  readonly sealed: string
}

/** What is sealed until the person is back. */
export interface BegunContent {
  readonly url: string
  readonly server: AuthorizationServer
  readonly client: OAuthClient
  readonly redirectUrl: string
  /** What was asked for. */
  readonly scope: string | null
  readonly verifier: string
}

export function newState(): string {
  return randomBytes(32).toString('base64url')
}

export function stateDigest(keys: Keyring, { user, incarnation, name }: SecretPlace, state: string): string {
  return keys.mac('states', ['mcp', user.namespace, user.id, incarnation, name, state])
}

export function sealBegun(keys: Keyring, place: SecretPlace, digest: string, content: BegunContent): string {
  return keys.seal(JSON.stringify(content), contextOf(place, digest))
}

export function openBegun(keys: Keyring, place: SecretPlace, { digest, sealed }: BegunAuthorization): BegunContent {
  return JSON.parse(keys.open(sealed, contextOf(place, digest))) as BegunContent
}

export function readStates(record: string | undefined, incarnation: number): readonly BegunAuthorization[] {
  if (record === undefined) return []
  const stored = JSON.parse(record) as { incarnation: number; begun: BegunAuthorization[] }
  return stored.incarnation === incarnation ? stored.begun : []
}

/** null when none is left: then the record goes. */
export function writeStates(begun: readonly BegunAuthorization[], incarnation: number): string | null {
  return begun.length === 0 ? null : JSON.stringify({ v: 1, incarnation, begun })
}

/** With one more; what has expired goes, and the oldest when there are too many. */
export function withState(
  begun: readonly BegunAuthorization[],
  added: BegunAuthorization,
  now: number,
): BegunAuthorization[] {
  return [...begun.filter(({ expiresAt }) => now < expiresAt), added].slice(-STATES_MAX)
}

function contextOf({ user, incarnation, name }: SecretPlace, digest: string): string[] {
  return ['mcp authorization', user.namespace, user.id, String(incarnation), name, digest]
}
