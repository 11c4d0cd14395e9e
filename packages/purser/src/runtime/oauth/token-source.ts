import type { Effects } from '../../core/effects.ts'
import type { PurserError } from '../../errors.ts'
import { authorizationRequired, tokenRefused } from './errors.ts'
import type { Grant } from './grant.ts'
import type { GrantRepository } from './grant-repository.ts'
import type { TokenSource } from './ports.ts'
import type { GrantKey, TokenRefresher } from './refresh.ts'

export interface TokenSourceDeps {
  readonly effects: Pick<Effects, 'now'>
  readonly grants: GrantRepository
  readonly refresher: TokenRefresher
}

/** How long after a refresh a refused token counts as one that the server never accepts. */
const UNCONFIRMED_MS = 60_000

/** The tokens of one connection. The current token is in private fields only, so that printing shows none. */
export class GrantTokenSource implements TokenSource {
  readonly #deps: TokenSourceDeps
  readonly #key: GrantKey
  #grant: Grant | undefined
  #lastToken: string | undefined
  /** A token that was issued just now, until the server has accepted it once. */
  #unconfirmed: { readonly token: string; readonly issuedAt: number } | undefined

  constructor(deps: TokenSourceDeps, key: GrantKey) {
    this.#deps = deps
    this.#key = key
  }

  get lastToken(): string | undefined {
    return this.#lastToken
  }

  async getToken(): Promise<string> {
    const grant = this.#grant ?? (await this.#read())
    return this.#use(isExpired(grant, this.#deps.effects.now()) ? await this.#refresh(grant) : grant)
  }

  async replaceToken(token: string): Promise<string> {
    if (this.#isUnconfirmed(token)) throw tokenRefused(this.#key.name)
    const grant = this.#grant ?? (await this.#read())
    return this.#use(grant.content.access === token ? await this.#refresh(grant) : grant)
  }

  /** The refused token may have been accepted for other calls meanwhile; then the next call gets another one. */
  async describeRefusal(token: string): Promise<PurserError> {
    await this.replaceToken(token)
    return tokenRefused(this.#key.name)
  }

  confirmToken(token: string): void {
    if (token === this.#unconfirmed?.token) this.#unconfirmed = undefined
  }

  #isUnconfirmed(token: string): boolean {
    const { token: unconfirmed, issuedAt = 0 } = this.#unconfirmed ?? {}
    return token === unconfirmed && this.#deps.effects.now() - issuedAt < UNCONFIRMED_MS
  }

  #use(grant: Grant): string {
    this.#lastToken = grant.content.access
    return grant.content.access
  }

  async #read(): Promise<Grant> {
    const { name, endpoints } = this.#key
    const grant = await this.#deps.grants.read(this.#key)
    if (grant === undefined || grant.content.url !== endpoints.url) throw authorizationRequired(name)
    if (endpoints.issuer !== undefined && grant.content.server.issuer !== endpoints.issuer) {
      throw authorizationRequired(name)
    }
    this.#grant = grant
    return grant
  }

  /** Calls with the same token share one refresh, which another connection may have started. */
  async #refresh(seen: Grant): Promise<Grant> {
    const { grant, isNew } = await this.#deps.refresher.refresh(this.#key, seen)
    // A new authorization may be for another account: it requires a new connection.
    if (grant.id !== seen.id) throw authorizationRequired(this.#key.name)
    if (this.#grant === undefined || this.#grant.refreshes < grant.refreshes) {
      this.#grant = grant
      // The token that another process has refreshed may have been withdrawn since: it can be refreshed, too.
      this.#unconfirmed = isNew ? { token: grant.content.access, issuedAt: this.#deps.effects.now() } : undefined
    }
    return grant
  }
}

function isExpired({ content: { goodUntil } }: Grant, now: number): boolean {
  return goodUntil !== null && now >= goodUntil
}
