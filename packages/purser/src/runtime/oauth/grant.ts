import type { Keyring } from '../../core/keyring.ts'
import { hideFromInspect } from '../../core/redact.ts'
import type { SecretPlace } from '../secrets.ts'
import type { AuthorizationServer, OAuthClient } from './ports.ts'

/*
 * What a user has granted this application at one MCP server. The tokens are sealed together with everything they may
 * be used with: the server they are for, the issuer they came from, and the client they were given to. So a token is
 * never sent anywhere else, whatever the configuration or the MCP server says later.
 */

export const GRANT_KIND = 'mcp_grant'

/** A grant as stored: who and how far is in clear, tokens are sealed. */
export interface StoredGrant {
  readonly incarnation: number
  /** New with every authorization, the same over all its refreshes. */
  readonly id: string
  readonly issuer: string
  readonly scope: string | null
  readonly authorizedAt: string
  /** How often it was refreshed. */
  readonly turn: number
  /** `spent`: the refresh token was refused, or may have been used up. Only the person can help. */
  readonly state: 'live' | 'spent'
  /** Who is using up the refresh token, and until when they are waited for (epoch ms). Written before it is sent. */
  readonly claim: Claim | null
  readonly sealed: string
}

export interface Claim {
  readonly id: string
  readonly until: number
}

/** What is sealed. */
export interface GrantContent {
  /** The MCP server that the tokens are for. */
  readonly url: string
  readonly server: AuthorizationServer
  readonly client: OAuthClient
  readonly access: string
  readonly refresh: string | null
  /** Until when `access` is used, epoch ms; null when nobody knows. */
  readonly goodUntil: number | null
}

/** An open grant: `id` and `turn` name the exact token it holds. */
export interface Grant {
  readonly id: string
  readonly turn: number
  readonly content: GrantContent
}

export function writeGrant(grant: StoredGrant): string {
  return JSON.stringify({ v: 1, ...grant })
}

/** Undefined without one in this life. */
export function readGrant(record: string | undefined, incarnation: number): StoredGrant | undefined {
  if (record === undefined) return undefined
  const stored = JSON.parse(record) as StoredGrant
  return stored.incarnation === incarnation ? stored : undefined
}

export function sealContent(keys: Keyring, place: SecretPlace, issuer: string, content: GrantContent): string {
  return keys.seal(JSON.stringify(content), contextOf(place, issuer))
}

/** Undefined when it was sealed for another place or with another key. */
export function openGrant(keys: Keyring, place: SecretPlace, stored: StoredGrant): Grant | undefined {
  try {
    const content = JSON.parse(keys.open(stored.sealed, contextOf(place, stored.issuer))) as GrantContent
    return { id: stored.id, turn: stored.turn, content: hideFromInspect(content) }
  } catch {
    return undefined
  }
}

function contextOf({ user, incarnation, name }: SecretPlace, issuer: string): string[] {
  return ['mcp grant', user.namespace, user.id, String(incarnation), name, issuer]
}
