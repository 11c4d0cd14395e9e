import type { Keyring } from '../../core/keyring.ts'
import { PurserError } from '../../errors.ts'
import type { Decision, JournalPort } from '../../journal/api.ts'
import type { SecretPlace } from '../secrets.ts'
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
import { type BegunAuthorization, readStates, STATE_KIND, withState, writeStates } from './pending-authorization.ts'
import type { TrustedEndpoints } from './ports.ts'

export interface GrantRepositoryDeps {
  readonly journal: JournalPort
  readonly keys: Keyring
}

/** Where a grant is used, and under which configuration. */
export interface GrantKey extends SecretPlace {
  readonly site: TrustedEndpoints
}

/** What somebody who wants another token is told. */
export type ClaimAnswer =
  /** The refresh token is theirs to use up, once. */
  | { readonly kind: 'claimed'; readonly grant: Grant }
  /** It was done already. */
  | { readonly kind: 'newer'; readonly grant: Grant }
  /** Somebody else has claimed it. */
  | { readonly kind: 'taken'; readonly claim: string }
  /** There is nothing to use up, or it may have been. */
  | { readonly kind: 'lost' }

export interface ClaimRequest {
  /** The token that will not do. */
  readonly seen: Pick<Grant, 'id' | 'turn'>
  readonly claim: { readonly id: string; readonly forMs: number }
  /** A claim that was waited for long enough: its holder counts as dead. */
  readonly overdue: string | undefined
}

/** How a claim ends. */
export type Settlement =
  | { readonly kind: 'renewed'; readonly content: GrantContent }
  /** Nothing was sent. */
  | { readonly kind: 'unsent' }
  | { readonly kind: 'spent'; readonly why: string }

/** What the store knows of authorizations: each method is one atomic step through the journal. */
export class GrantRepository {
  readonly #house: GrantRepositoryDeps

  constructor(house: GrantRepositoryDeps) {
    this.#house = house
  }

  begin(place: SecretPlace, begun: (now: number) => BegunAuthorization, signal?: AbortSignal): Promise<string> {
    const { user, incarnation, name } = place
    return this.#house.journal.write(user, {
      signal,
      reads: [{ kind: STATE_KIND, name }],
      decide({ incarnation: present, now, record }) {
        const added = begun(now)
        // Whoever was erased since the discovery began is somebody new: nothing of this is theirs.
        if (present !== incarnation) throw erased()
        const states = withState(readStates(record(STATE_KIND, name), incarnation), added, now)
        const value = writeStates(states, incarnation)
        return {
          records: [{ kind: STATE_KIND, name, value }],
          result: () => new Date(added.expiresAt).toISOString(),
        }
      },
    })
  }

  /** Takes a begun authorization out: whatever happens then, it completes nothing a second time. */
  take(place: SecretPlace, digest: string, signal?: AbortSignal): Promise<BegunAuthorization | 'expired' | undefined> {
    const { user, incarnation, name } = place
    return this.#house.journal.write(user, {
      signal,
      reads: [{ kind: STATE_KIND, name }],
      decide({ incarnation: present, now, record }) {
        const begun = present === incarnation ? readStates(record(STATE_KIND, name), incarnation) : []
        const taken = begun.find((each) => each.digest === digest)
        if (taken === undefined) return { result: () => undefined }
        const value = writeStates(
          begun.filter((each) => each !== taken),
          incarnation,
        )
        return {
          records: [{ kind: STATE_KIND, name, value }],
          result: () => (now < taken.expiresAt ? taken : 'expired'),
        }
      },
    })
  }

  /** Keeps what a completed authorization gave, in place of what was there. */
  keep(
    place: SecretPlace,
    { id, scope, content, actor }: { id: string; scope: string | null; content: GrantContent; actor: string },
  ): Promise<StoredGrant> {
    const { journal, keys } = this.#house
    const { user, incarnation, name } = place
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
          sealed: sealContent(keys, place, issuer, content),
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

  /** Tells whether there was one. */
  remove({ user, name }: Omit<SecretPlace, 'incarnation'>, actor: string, signal?: AbortSignal): Promise<boolean> {
    return this.#house.journal.write(user, {
      signal,
      reads: [GRANT_KIND, STATE_KIND].map((kind) => ({ kind, name })),
      decide({ incarnation, record }) {
        const isThere = readGrant(record(GRANT_KIND, name), incarnation) !== undefined
        const kinds = [GRANT_KIND, STATE_KIND].filter((kind) => record(kind, name) !== undefined)
        const data = { action: 'mcp_deauthorized', name }
        return {
          events: isThere ? [{ type: 'admin_action', detail: `authorization removed: ${name}`, data, actor }] : [],
          records: kinds.map((kind) => ({ kind, name, value: null })),
          result: () => isThere,
        }
      },
    })
  }

  /** Claims the refresh token for one use. The claim is durable when this resolves. */
  claim(place: GrantKey, { seen, claim, overdue }: ClaimRequest): Promise<ClaimAnswer> {
    const { journal, keys } = this.#house
    const { user, incarnation, name } = place
    return journal.write<ClaimAnswer>(user, {
      incarnation,
      reads: [{ kind: GRANT_KIND, name }],
      decide({ now, record }) {
        const stored = readGrant(record(GRANT_KIND, name), incarnation)
        const grant = stored && openGrant(keys, place, stored)
        if (stored === undefined || grant === undefined) return { result: () => ({ kind: 'lost' }) }
        if (stored.state === 'spent') return { result: () => ({ kind: 'lost' }) }
        if (stored.id !== seen.id || stored.turn !== seen.turn) return { result: () => ({ kind: 'newer', grant }) }
        const { claim: other } = stored
        // The answer to the claim was lost, not the claim: nobody else has it, and nothing was sent.
        if (other?.id === claim.id) return { result: () => ({ kind: 'claimed', grant }) }
        if (other !== null && now < other.until && other.id !== overdue) {
          return { result: () => ({ kind: 'taken', claim: other.id }) }
        }
        if (other !== null) return { ...spent(name, stored, 'interrupted'), result: () => ({ kind: 'lost' }) }
        if (grant.content.refresh === null) return { result: () => ({ kind: 'lost' }) }
        const mine: Claim = { id: claim.id, until: now + claim.forMs }
        return {
          records: [{ kind: GRANT_KIND, name, value: writeGrant({ ...stored, claim: mine }) }],
          result: () => ({ kind: 'claimed', grant }),
        }
      },
    })
  }

  /**
   * Ends a claim. Whoever comes late is still heard as long as nobody was authorized anew: they alone have used the
   * token. Resolves to what stands then; undefined when that is of no use.
   */
  settle(place: SecretPlace, claim: string, settlement: Settlement): Promise<Grant | undefined> {
    const { journal, keys } = this.#house
    const { user, incarnation, name } = place
    return journal.write<Grant | undefined>(user, {
      incarnation,
      reads: [{ kind: GRANT_KIND, name }],
      decide({ record }) {
        const stored = readGrant(record(GRANT_KIND, name), incarnation)
        if (stored === undefined) return { result: () => undefined }
        if (stored.claim?.id !== claim) {
          return { result: () => (stored.state === 'live' ? openGrant(keys, place, stored) : undefined) }
        }
        if (settlement.kind === 'spent') {
          const isNew = stored.state === 'live'
          return { ...(isNew ? spent(name, stored, settlement.why) : {}), result: () => undefined }
        }
        const next: StoredGrant =
          settlement.kind === 'unsent'
            ? { ...stored, state: 'live', claim: null }
            : {
                ...stored,
                state: 'live',
                claim: null,
                turn: stored.turn + 1,
                sealed: sealContent(keys, place, stored.issuer, settlement.content),
              }
        const data = { action: 'mcp_authorization_kept', name, issuer: stored.issuer }
        const events = [{ type: 'admin_action', detail: `authorization kept: ${name}`, data }]
        return {
          events: stored.state === 'spent' ? events : [],
          records: [{ kind: GRANT_KIND, name, value: writeGrant(next) }],
          result: () => openGrant(keys, place, next),
        }
      },
    })
  }
}

function erased(): PurserError {
  return new PurserError('user_erased', 'The user was erased while this authorization was being begun.')
}

/** The claim stays in the record: should its holder come after all, what they got is not lost. */
function spent(
  name: string,
  stored: StoredGrant,
  why: string,
): Pick<Decision<unknown, unknown, unknown>, 'events' | 'records'> {
  const data = { action: 'mcp_authorization_lost', name, issuer: stored.issuer, why }
  return {
    events: [{ type: 'admin_action', detail: `authorization lost: ${name}`, data }],
    records: [{ kind: GRANT_KIND, name, value: writeGrant({ ...stored, state: 'spent' }) }],
  }
}
