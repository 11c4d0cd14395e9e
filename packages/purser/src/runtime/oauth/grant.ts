import type { Keyring } from '../../core/keyring.ts'
import { hideFromInspect } from '../../core/redact.ts'
import type { RecordKey } from '../secrets.ts'
import type { AuthorizationServer, OAuthClient } from './ports.ts'

/*
 * A user's authorization at one MCP server. The tokens are sealed together with everything they may be used with: the
 * server they are for, the issuer, and the client they were issued to. So a token is never sent to another server,
 * whatever the configuration or the MCP server says later.
 */

export const GRANT_KIND = 'mcp_grant'

/** A grant as stored: tokens are sealed, the other fields are not. */
export interface StoredGrant {
  readonly incarnation: number
  /** New with every authorization, unchanged by refreshes. */
  readonly id: string
  readonly issuer: string
  readonly scope: string | null
  readonly authorizedAt: string
  /** Number of refreshes. */
  readonly turn: number
  /** `spent`: the refresh token was refused or may have been used up, so the user has to authorize again. */
  readonly state: 'live' | 'spent'
  /** Written before the refresh token is sent. */
  readonly claim: Claim | null
  readonly sealed: string
}

/** The exclusive right of one refresh to use the refresh token. */
export interface Claim {
  readonly id: string
  /** Until when other refreshes wait for it, epoch ms. */
  readonly until: number
}

/** The sealed part. */
export interface GrantContent {
  /** The MCP server that the tokens are for. */
  readonly url: string
  readonly server: AuthorizationServer
  readonly client: OAuthClient
  readonly access: string
  readonly refresh: string | null
  /** Until when `access` is used, epoch ms; null when its lifetime is unknown. */
  readonly goodUntil: number | null
}

/** An opened grant; `id` and `refreshes` identify the tokens it holds. */
export interface Grant {
  readonly id: string
  readonly refreshes: number
  readonly content: GrantContent
}

export function writeGrant(grant: StoredGrant): string {
  return JSON.stringify({ v: 1, ...grant })
}

/** Undefined when there is none in this incarnation. */
export function readGrant(record: string | undefined, incarnation: number): StoredGrant | undefined {
  if (record === undefined) return undefined
  const stored = JSON.parse(record) as StoredGrant
  return stored.incarnation === incarnation ? stored : undefined
}

export function sealContent(keys: Keyring, key: RecordKey, issuer: string, content: GrantContent): string {
  return keys.seal(JSON.stringify(content), sealingContext(key, issuer))
}

/** Undefined when it was sealed for another user, incarnation or server, or with another secret key. */
export function openGrant(keys: Keyring, key: RecordKey, { id, turn, issuer, sealed }: StoredGrant): Grant | undefined {
  try {
    const content = JSON.parse(keys.open(sealed, sealingContext(key, issuer))) as GrantContent
    return { id, refreshes: turn, content: hideFromInspect(content) }
  } catch {
    return undefined
  }
}

function sealingContext({ user, incarnation, name }: RecordKey, issuer: string): string[] {
  return ['mcp grant', user.namespace, user.id, String(incarnation), name, issuer]
}
