import type { AbortSignalLike } from '../../core/call-signal.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { Subject } from '../../core/subject.ts'
import type { Decision, JournalPort } from '../../journal/api.ts'
import type { UserData } from '../../journal/event.ts'
import type { UserStore } from '../../storage/store.ts'
import type { RecordKey } from '../secrets.ts'
import {
  type Claim,
  GRANT_KIND,
  type Grant,
  type GrantContent,
  openGrant,
  readGrant,
  type StoredGrant,
  sealContent,
  writeGrant,
} from './grant.ts'
import { type GrantOwner, PENDING_KIND } from './pending-authorizations.ts'

/** Limit of one read; a user has at most one grant for each MCP server that is or was configured. */
const GRANTS_MAX = 1_000

export interface GrantRepositoryDeps {
  readonly journal: JournalPort
  readonly users: UserStore
  readonly keys: Keyring
}

export interface NewGrant {
  readonly id: string
  readonly scope: string | null
  readonly content: GrantContent
  readonly actor: string
}

export type ClaimResult =
  /** The caller may send the refresh token, once. */
  | { readonly kind: 'claimed'; readonly grant: Grant }
  /** The tokens were refreshed already. */
  | { readonly kind: 'newer'; readonly grant: Grant }
  /** Another refresh has claimed the token. */
  | { readonly kind: 'taken'; readonly claim: string }
  /** There is no refresh token, or it may have been used. */
  | { readonly kind: 'lost' }

export interface ClaimRequest {
  /** The tokens to replace. */
  readonly seen: Pick<Grant, 'id' | 'refreshes'>
  readonly claim: { readonly id: string; readonly forMs: number }
  /** A claim that was waited for long enough: its process counts as dead. */
  readonly overdue: string | undefined
}

/** How a claim ends. */
export type Settlement =
  | { readonly kind: 'renewed'; readonly content: GrantContent }
  /** The refresh token was not sent. */
  | { readonly kind: 'unsent' }
  | { readonly kind: 'spent'; readonly why: string }

type GrantDecision<Result> = Decision<UserData, Result>

/** The grants in the store; each write is one atomic step through the journal. */
export class GrantRepository {
  readonly #deps: GrantRepositoryDeps

  constructor(deps: GrantRepositoryDeps) {
    this.#deps = deps
  }

  async list(user: Subject): Promise<{ name: string; grant: StoredGrant }[]> {
    const { users, journal } = this.#deps
    const { incarnation } = await journal.read(user)
    const records = await users.records(user, GRANT_KIND, { limit: GRANTS_MAX, order: 'ascending' })
    return records.flatMap(({ name, value }) => {
      const grant = readGrant(value, incarnation)
      return grant === undefined ? [] : [{ name, grant }]
    })
  }

  /** Undefined without a usable grant. */
  async read(key: RecordKey): Promise<Grant | undefined> {
    const { keys, users } = this.#deps
    const stored = readGrant(await users.record(key.user, GRANT_KIND, key.name), key.incarnation)
    return stored?.state === 'live' ? openGrant(keys, key, stored) : undefined
  }

  /** Stores the tokens of a completed authorization; an earlier grant is replaced. */
  add(key: RecordKey, { id, scope, content, actor }: NewGrant): Promise<StoredGrant> {
    const { journal, keys } = this.#deps
    const { user, incarnation, name } = key
    const { issuer } = content.server
    return journal.write(user, {
      incarnation,
      decide({ now }) {
        const grant: StoredGrant = {
          incarnation,
          id,
          issuer,
          scope,
          authorizedAt: new Date(now).toISOString(),
          turn: 0,
          state: 'live',
          claim: null,
          sealed: sealContent(keys, key, issuer, content),
        }
        const data = { action: 'mcp_authorized', name, issuer, scope }
        return {
          events: [{ type: 'admin_action', detail: `authorized: ${name}`, data, actor }],
          records: [{ kind: GRANT_KIND, name, value: writeGrant(grant) }],
          result: () => grant,
        }
      },
    })
  }

  /** Removes the grant and pending authorizations. Resolves to whether there was a grant. */
  remove({ user, name }: GrantOwner, actor: string, signal: AbortSignalLike | undefined): Promise<boolean> {
    return this.#deps.journal.write(user, {
      signal,
      reads: [GRANT_KIND, PENDING_KIND].map((kind) => ({ kind, name })),
      decide({ incarnation, record }) {
        const exists = readGrant(record(GRANT_KIND, name), incarnation) !== undefined
        const kinds = [GRANT_KIND, PENDING_KIND].filter((kind) => record(kind, name) !== undefined)
        const data = { action: 'mcp_deauthorized', name }
        return {
          events: exists ? [{ type: 'admin_action', detail: `authorization removed: ${name}`, data, actor }] : [],
          records: kinds.map((kind) => ({ kind, name, value: null })),
          result: () => exists,
        }
      },
    })
  }

  /** Claims the refresh token for one use. The claim is durable when this resolves. */
  claim(key: RecordKey, request: ClaimRequest): Promise<ClaimResult> {
    const { journal, keys } = this.#deps
    const { user, incarnation, name } = key
    return journal.write<ClaimResult>(user, {
      incarnation,
      reads: [{ kind: GRANT_KIND, name }],
      decide({ now, record }) {
        const stored = readGrant(record(GRANT_KIND, name), incarnation)
        const grant = stored && openGrant(keys, key, stored)
        if (stored === undefined || grant === undefined) return { result: () => ({ kind: 'lost' }) }
        return decideClaim(name, { stored, grant, now }, request)
      },
    })
  }

  /**
   * Ends a claim. A claim that was given up is still settled as long as the user has not authorized again: no other
   * refresh has used the token. Resolves to the grant that is stored then; undefined when it is not usable.
   */
  settle(key: RecordKey, claim: string, settlement: Settlement): Promise<Grant | undefined> {
    const { journal, keys } = this.#deps
    const { user, incarnation, name } = key
    return journal.write<Grant | undefined>(user, {
      incarnation,
      reads: [{ kind: GRANT_KIND, name }],
      decide({ record }) {
        const stored = readGrant(record(GRANT_KIND, name), incarnation)
        if (stored === undefined) return { result: () => undefined }
        if (stored.claim?.id !== claim) {
          return { result: () => (stored.state === 'live' ? openGrant(keys, key, stored) : undefined) }
        }
        if (settlement.kind === 'spent') {
          const isNew = stored.state === 'live'
          return { ...(isNew ? markSpent(name, stored, settlement.why) : {}), result: () => undefined }
        }
        const unclaimed: StoredGrant = { ...stored, state: 'live', claim: null }
        const next: StoredGrant =
          settlement.kind === 'unsent'
            ? unclaimed
            : {
                ...unclaimed,
                turn: stored.turn + 1,
                sealed: sealContent(keys, key, stored.issuer, settlement.content),
              }
        const data = { action: 'mcp_authorization_kept', name, issuer: stored.issuer }
        const recovered = { type: 'admin_action', detail: `authorization kept: ${name}`, data }
        return {
          events: stored.state === 'spent' ? [recovered] : [],
          records: [{ kind: GRANT_KIND, name, value: writeGrant(next) }],
          result: () => openGrant(keys, key, next),
        }
      },
    })
  }
}

function decideClaim(
  name: string,
  { stored, grant, now }: { readonly stored: StoredGrant; readonly grant: Grant; readonly now: number },
  { seen, claim, overdue }: ClaimRequest,
): GrantDecision<ClaimResult> {
  const { claim: existing } = stored
  if (stored.state === 'spent') return { result: () => ({ kind: 'lost' }) }
  if (grant.id !== seen.id || grant.refreshes !== seen.refreshes) return { result: () => ({ kind: 'newer', grant }) }
  // The result of this claim was lost, not the claim itself: no other refresh has it, and nothing was sent.
  if (existing?.id === claim.id) return { result: () => ({ kind: 'claimed', grant }) }
  if (existing !== null) {
    const isPending = now < existing.until && existing.id !== overdue
    if (isPending) return { result: () => ({ kind: 'taken', claim: existing.id }) }
    return { ...markSpent(name, stored, 'interrupted'), result: () => ({ kind: 'lost' }) }
  }
  if (grant.content.refresh === null) return { result: () => ({ kind: 'lost' }) }
  const added: Claim = { id: claim.id, until: now + claim.forMs }
  return {
    records: [{ kind: GRANT_KIND, name, value: writeGrant({ ...stored, claim: added }) }],
    result: () => ({ kind: 'claimed', grant }),
  }
}

/** The claim stays in the record: tokens that its refresh still receives are not lost. */
function markSpent(name: string, stored: StoredGrant, why: string): Pick<GrantDecision<unknown>, 'events' | 'records'> {
  const data = { action: 'mcp_authorization_lost', name, issuer: stored.issuer, why }
  return {
    events: [{ type: 'admin_action', detail: `authorization lost: ${name}`, data }],
    records: [{ kind: GRANT_KIND, name, value: writeGrant({ ...stored, state: 'spent' }) }],
  }
}
