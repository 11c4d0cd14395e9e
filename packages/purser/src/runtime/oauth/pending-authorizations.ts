import { randomBytes } from 'node:crypto'
import type { AbortSignalLike } from '../../core/call-signal.ts'
import type { Keyring } from '../../core/keyring.ts'
import { PurserError } from '../../errors.ts'
import type { JournalPort } from '../../journal/api.ts'
import type { RecordKey } from '../secrets.ts'
import type { AuthorizationServer, OAuthClient } from './ports.ts'

/*
 * Authorizations that were started and not completed. The `state` that passes through the browser is random. Only a
 * keyed digest of it is stored, over user, incarnation and server: it completes no authorization of another user,
 * incarnation or server. The record is removed before the code is exchanged, so it is used once.
 */

export const PENDING_KIND = 'mcp_authorization'

/** How long the user may take at the authorization server. */
const STATE_TTL_MS = 600_000
/** Pending authorizations of one user and server, such as in several browser windows; a further one drops the oldest. */
const PENDING_MAX = 4

export interface PendingAuthorizationsDeps {
  readonly journal: JournalPort
  readonly keys: Keyring
}

/** A user and an MCP server. */
export type GrantOwner = Omit<RecordKey, 'incarnation'>

/** Sealed until the user returns. */
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

/** A pending authorization that was removed from the store, to be completed now. */
export interface TakenAuthorization {
  readonly incarnation: number
  readonly content: PendingContent
}

interface PendingAuthorization {
  readonly digest: string
  /** Epoch ms. */
  readonly expiresAt: number
  readonly sealed: string
}

export function createState(): string {
  return randomBytes(32).toString('base64url')
}

/** The pending authorizations in the store; each write is one atomic step through the journal. */
export class PendingAuthorizations {
  readonly #deps: PendingAuthorizationsDeps

  constructor(deps: PendingAuthorizationsDeps) {
    this.#deps = deps
  }

  /** Stores a started authorization; resolves to its expiry, ISO 8601. */
  add(key: RecordKey, state: string, content: PendingContent, signal: AbortSignalLike | undefined): Promise<string> {
    const { journal, keys } = this.#deps
    const { user, incarnation, name } = key
    const digest = digestState(keys, key, state)
    const sealed = keys.seal(JSON.stringify(content), sealingContext(key, digest))
    return journal.write(user, {
      signal,
      reads: [{ kind: PENDING_KIND, name }],
      isAudited: false,
      decide({ incarnation: current, now, record }) {
        // The user was erased since the discovery began: the next incarnation must not get the authorization.
        if (current !== incarnation) throw userErased()
        const expiresAt = now + STATE_TTL_MS
        const before = readPending(record(PENDING_KIND, name), incarnation)
        const pending = [...before.filter((each) => now < each.expiresAt), { digest, expiresAt, sealed }]
        const value = writePending(pending.slice(-PENDING_MAX), incarnation)
        return {
          records: [{ kind: PENDING_KIND, name, value }],
          result: () => new Date(expiresAt).toISOString(),
        }
      },
    })
  }

  /** Removes a pending authorization, so that it is completed at most once. Undefined when there is none. */
  async take(
    { user, name }: GrantOwner,
    state: string,
    signal: AbortSignalLike | undefined,
  ): Promise<TakenAuthorization | 'expired' | undefined> {
    const { journal, keys } = this.#deps
    const taken = await journal.write(user, {
      signal,
      reads: [{ kind: PENDING_KIND, name }],
      isAudited: false,
      decide({ incarnation, now, record }) {
        const key = { user, incarnation, name }
        const before = readPending(record(PENDING_KIND, name), incarnation)
        const digest = digestState(keys, key, state)
        const pending = before.find((each) => each.digest === digest)
        if (pending === undefined) return { result: () => undefined }
        const others = before.filter((each) => each !== pending)
        return {
          records: [{ kind: PENDING_KIND, name, value: writePending(others, incarnation) }],
          result: () => ({ key, pending, takenAt: now }),
        }
      },
    })
    if (taken === undefined) return undefined
    const { key, pending, takenAt } = taken
    if (takenAt >= pending.expiresAt) return 'expired'
    const content = JSON.parse(keys.open(pending.sealed, sealingContext(key, pending.digest))) as PendingContent
    return { incarnation: key.incarnation, content }
  }
}

function readPending(record: string | undefined, incarnation: number): readonly PendingAuthorization[] {
  if (record === undefined) return []
  const stored = JSON.parse(record) as { incarnation: number; begun: PendingAuthorization[] }
  return stored.incarnation === incarnation ? stored.begun : []
}

/** null, which deletes the record, when none is left. */
function writePending(pending: readonly PendingAuthorization[], incarnation: number): string | null {
  return pending.length === 0 ? null : JSON.stringify({ v: 1, incarnation, begun: pending })
}

function digestState(keys: Keyring, { user, incarnation, name }: RecordKey, state: string): string {
  return keys.mac('states', ['mcp', user.namespace, user.id, incarnation, name, state])
}

function sealingContext({ user, incarnation, name }: RecordKey, digest: string): string[] {
  return ['mcp authorization', user.namespace, user.id, String(incarnation), name, digest]
}

function userErased(): PurserError {
  return new PurserError('user_erased', 'The user was erased while this authorization was starting.')
}
