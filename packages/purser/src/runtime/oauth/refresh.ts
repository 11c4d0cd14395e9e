import { sleep } from '../../core/abort.ts'
import type { Effects } from '../../core/effects.ts'
import { subjectKey } from '../../core/subject.ts'
import { PurserError, purserClosed } from '../../errors.ts'
import type { RecordKey } from '../secrets.ts'
import { authorizationRequired, authorizationServerUnavailable } from './errors.ts'
import type { Grant, GrantContent } from './grant.ts'
import type { GrantRepository, Settlement } from './grant-repository.ts'
import type { OAuthClient, OAuthPort, TokenResult, Tokens, TrustedEndpoints } from './ports.ts'

/*
 * A refresh token is sent at most once, over any number of calls, processes and crashes. A refresh first writes a claim
 * into the grant, compared with the stored one, and sends the token only when the claim is durable. Other refreshes
 * wait for the result. A claim whose process does not return is never taken over: the token may have been used, and the
 * user has to authorize again.
 */

/** How long other refreshes wait for a claim: longer than the request may take, shorter than opening a connection may. */
export const CLAIM_MS = 15_000
/** How often the claim of another process is checked. */
const POLL_MS = 250
/** A token is not used in the last part of its lifetime: this long, but at most a tenth of the lifetime. */
const EXPIRY_MARGIN_MS = 10_000
/** After a failed refresh, equal calls fail at once for this long. */
const COOLDOWN_MS = 1_000
/** Attempts to write a claim or its settlement, and the pause between them. */
const STORE_ATTEMPTS_MAX = 5
const STORE_PAUSE_MS = 500

/** A grant, and the configured endpoints it is used with. */
export interface GrantKey extends RecordKey {
  readonly endpoints: TrustedEndpoints
}

export interface TokenRefresherDeps {
  readonly effects: Effects
  readonly grants: GrantRepository
  readonly oauth: OAuthPort
  /** The authorization server no longer knows this application. */
  forgetClient(name: string, client: OAuthClient): Promise<void>
}

export interface Refreshed {
  readonly grant: Grant
  /** The tokens were issued for this call; otherwise another process has refreshed them before. */
  readonly isNew: boolean
}

/** Refreshes the tokens of all users. */
export class TokenRefresher {
  readonly #deps: TokenRefresherDeps
  /** One refresh for each token; callers share it. */
  readonly #pending = new Map<string, Promise<Refreshed>>()
  /** Ends the cooldown of each failed refresh. */
  readonly #cooldowns = new Set<() => void>()
  readonly #closing = new AbortController()

  constructor(deps: TokenRefresherDeps) {
    this.#deps = deps
  }

  /** Resolves to a grant newer than `seen`. Rejects with `mcp_unavailable`, `user_erased` or `store_unavailable`. */
  refresh(key: GrantKey, seen: Pick<Grant, 'id' | 'refreshes'>): Promise<Refreshed> {
    const id = JSON.stringify([subjectKey(key.user), key.name, key.incarnation, seen.id, seen.refreshes])
    let pending = this.#pending.get(id)
    if (pending === undefined) {
      pending = this.#refresh(key, seen)
      this.#pending.set(id, pending)
      pending.then(
        () => this.#pending.delete(id),
        () => this.#startCooldown(id),
      )
    }
    return pending
  }

  /** Resolves when the result of every sent request is stored. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#pending.values())
  }

  /** Refreshes that wait for other processes give up. */
  stop(): void {
    for (const end of this.#cooldowns) end()
    this.#closing.abort(purserClosed())
  }

  async #refresh(key: GrantKey, seen: Pick<Grant, 'id' | 'refreshes'>): Promise<Refreshed> {
    const { effects, grants } = this.#deps
    const claim = { id: effects.randomId(), forMs: CLAIM_MS }
    let observed: { readonly claim: string; readonly since: number } | undefined
    for (;;) {
      this.#closing.signal.throwIfAborted()
      const isOverdue = observed !== undefined && effects.monotonic() - observed.since >= CLAIM_MS
      const overdue = isOverdue ? observed?.claim : undefined
      const result = await this.#retryStore(() => grants.claim(key, { seen, claim, overdue }))
      if (result.kind === 'newer') return { grant: result.grant, isNew: false }
      if (result.kind === 'lost') throw authorizationRequired(key.name)
      if (result.kind === 'claimed') {
        return { grant: await this.#send(key, claim.id, result.grant.content), isNew: true }
      }
      if (observed?.claim !== result.claim) observed = { claim: result.claim, since: effects.monotonic() }
      await sleep(effects, POLL_MS, this.#closing.signal)
    }
  }

  async #send(key: GrantKey, claim: string, content: GrantContent): Promise<Grant> {
    const { oauth, effects, grants, forgetClient } = this.#deps
    const { server, client, refresh } = content
    const result = await oauth.refresh(key.endpoints, { server, client, refreshToken: refresh ?? '' })
    const settlement = getSettlement(result, content, effects.now())
    const grant = await this.#retryStore(() => grants.settle(key, claim, settlement))
    if (isClientUnknown(result)) await forgetClient(key.name, client)
    if (result.outcome === 'unsent') throw authorizationServerUnavailable(key.name, result.cause)
    if (grant === undefined) throw authorizationRequired(key.name)
    return grant
  }

  /** Retries while the store is unavailable: a claim and its tokens cannot be obtained a second time. */
  async #retryStore<T>(write: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await write()
      } catch (error) {
        if (!PurserError.is(error, 'store_unavailable') || attempt >= STORE_ATTEMPTS_MAX) throw error
        await sleep(this.#deps.effects, STORE_PAUSE_MS)
      }
    }
  }

  #startCooldown(id: string): void {
    const end = (): void => {
      cancel()
      this.#cooldowns.delete(end)
      this.#pending.delete(id)
    }
    const cancel = this.#deps.effects.setTimer(end, COOLDOWN_MS, { background: true })
    if (this.#closing.signal.aborted) end()
    else this.#cooldowns.add(end)
  }
}

/** A token that can be refreshed is no longer used shortly before it expires, so that it does not expire in transit. */
export function createGrantContent(
  { access, refresh, lifetimeMs }: Tokens,
  { now, ...target }: Pick<GrantContent, 'url' | 'server' | 'client'> & { now: number },
): GrantContent {
  const marginMs = refresh === null ? 0 : Math.min(EXPIRY_MARGIN_MS, (lifetimeMs ?? 0) / 10)
  return { ...target, access, refresh, goodUntil: lifetimeMs === null ? null : now + lifetimeMs - marginMs }
}

export function isClientUnknown(result: TokenResult): boolean {
  return result.outcome === 'refused' && result.code.endsWith('_client')
}

function getSettlement(result: TokenResult, { url, server, client, refresh }: GrantContent, now: number): Settlement {
  if (result.outcome === 'granted') {
    const tokens = { ...result.tokens, refresh: result.tokens.refresh ?? refresh }
    return { kind: 'renewed', content: createGrantContent(tokens, { url, server, client, now }) }
  }
  if (result.outcome === 'unsent') return { kind: 'unsent' }
  return { kind: 'spent', why: result.outcome === 'refused' ? result.code : 'interrupted' }
}
