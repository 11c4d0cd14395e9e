import type { Effects } from '../../core/effects.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { PurserError } from '../../errors.ts'
import type { UserStore } from '../../storage/store.ts'
import { authorizationRequired, tokenRefused } from './errors.ts'
import { GRANT_KIND, type Grant, openGrant, readGrant } from './grant.ts'
import type { GrantKey } from './grant-repository.ts'
import type { TokenSource } from './ports.ts'
import type { TokenRefresher } from './refresh.ts'

export interface TokenSourceDeps {
  readonly effects: Pick<Effects, 'now'>
  readonly keys: Keyring
  readonly users: UserStore
  readonly renewals: TokenRefresher
}

/** The tokens of one connection. It keeps the present one in memory, where nothing that prints it finds it. */
export class GrantTokenSource implements TokenSource {
  readonly #house: TokenSourceDeps
  readonly #place: GrantKey
  #grant: Grant | undefined
  #last: string | undefined
  /** A token that was just renewed, until the server has taken it once. */
  #unproven: string | undefined

  constructor(house: TokenSourceDeps, place: GrantKey) {
    this.#house = house
    this.#place = place
  }

  get lastToken(): string | undefined {
    return this.#last
  }

  async getToken(): Promise<string> {
    const grant = this.#grant ?? (await this.#read())
    return this.#give(isOver(grant, this.#house.effects.now()) ? await this.#renew(grant) : grant)
  }

  async replaceToken(token: string): Promise<string> {
    if (token === this.#unproven) throw tokenRefused(this.#place.name)
    const grant = this.#grant ?? (await this.#read())
    return this.#give(grant.content.access === token ? await this.#renew(grant) : grant)
  }

  /** The token may have been good for others meanwhile; then the next call finds another. */
  async describeRefusal(token: string): Promise<PurserError> {
    await this.replaceToken(token)
    return tokenRefused(this.#place.name)
  }

  confirmToken(token: string): void {
    if (token === this.#unproven) this.#unproven = undefined
  }

  #give(grant: Grant): string {
    this.#last = grant.content.access
    return grant.content.access
  }

  async #read(): Promise<Grant> {
    const { keys, users } = this.#house
    const { user, incarnation, name, site } = this.#place
    const stored = readGrant(await users.record(user, GRANT_KIND, name), incarnation)
    const grant = stored?.state === 'live' ? openGrant(keys, this.#place, stored) : undefined
    if (grant === undefined || grant.content.url !== site.url) throw authorizationRequired(name)
    if (site.issuer !== undefined && grant.content.server.issuer !== site.issuer) throw authorizationRequired(name)
    this.#grant = grant
    return grant
  }

  /** Callers of one token share the renewal; what comes back may be of another connection's making. */
  async #renew(seen: Grant): Promise<Grant> {
    const grant = await this.#house.renewals.renew(this.#place, seen)
    // A new authorization may be for another account: that is for a new connection.
    if (grant.id !== seen.id) throw authorizationRequired(this.#place.name)
    if (this.#grant === undefined || this.#grant.turn < grant.turn) {
      this.#grant = grant
      this.#unproven = grant.content.access
    }
    return grant
  }
}

function isOver({ content: { goodUntil } }: Grant, now: number): boolean {
  return goodUntil !== null && now >= goodUntil
}
