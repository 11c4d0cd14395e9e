import { randomBytes } from 'node:crypto'
import type { Keyring } from '../../core/keyring.ts'
import type { RecordKey } from '../secrets.ts'
import type { AuthorizationServer, OAuthClient } from './ports.ts'

/*
 * Authorizations that were started and not completed. The `state` that passes through the browser is random. Only a
 * keyed digest of it is stored, over user, incarnation and server: it completes no authorization of another user,
 * incarnation or server. The record is removed before the code is exchanged, so it is used once.
 */

export const PENDING_KIND = 'mcp_authorization'

/** How long the user may take at the authorization server. */
export const STATE_TTL_MS = 600_000
/** Pending authorizations of one user and server, such as in several browser windows; a further one drops the oldest. */
const PENDING_MAX = 4

export interface PendingAuthorization {
  readonly digest: string
  /** Epoch ms. */
  readonly expiresAt: number
  readonly sealed: string
}

/** The sealed part. */
export interface PendingContent {
  /** The MCP server. */
  readonly url: string
  readonly server: AuthorizationServer
  readonly client: OAuthClient
  readonly redirectUrl: string
  /** The requested scope. */
  readonly scope: string | null
  /** Of PKCE. */
  readonly verifier: string
}

export function createState(): string {
  return randomBytes(32).toString('base64url')
}

export function digestState(keys: Keyring, { user, incarnation, name }: RecordKey, state: string): string {
  return keys.mac('states', ['mcp', user.namespace, user.id, incarnation, name, state])
}

export function sealPending(keys: Keyring, key: RecordKey, digest: string, content: PendingContent): string {
  return keys.seal(JSON.stringify(content), sealingContext(key, digest))
}

export function openPending(keys: Keyring, key: RecordKey, { digest, sealed }: PendingAuthorization): PendingContent {
  return JSON.parse(keys.open(sealed, sealingContext(key, digest))) as PendingContent
}

export function readPending(record: string | undefined, incarnation: number): readonly PendingAuthorization[] {
  if (record === undefined) return []
  const stored = JSON.parse(record) as { incarnation: number; begun: PendingAuthorization[] }
  return stored.incarnation === incarnation ? stored.begun : []
}

/** null, which deletes the record, when none is left. */
export function writePending(pending: readonly PendingAuthorization[], incarnation: number): string | null {
  return pending.length === 0 ? null : JSON.stringify({ v: 1, incarnation, begun: pending })
}

/** Adds one; expired ones are dropped, and the oldest at the limit. */
export function addPending(
  pending: readonly PendingAuthorization[],
  added: PendingAuthorization,
  now: number,
): PendingAuthorization[] {
  return [...pending.filter(({ expiresAt }) => now < expiresAt), added].slice(-PENDING_MAX)
}

function sealingContext({ user, incarnation, name }: RecordKey, digest: string): string[] {
  return ['mcp authorization', user.namespace, user.id, String(incarnation), name, digest]
}
