import type { Effects } from '../../core/effects.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { McpOAuthOption } from '../../options.ts'
import type { MetaStore } from '../../storage/store.ts'
import type { AuthorizationServer, OAuthClient, OAuthPort, TrustedEndpoints } from './ports.ts'

/*
 * How authorization servers know this application. What is configured is used as it is. Otherwise the application
 * registers itself, once for each configured MCP server, and keeps what it got sealed in the store's own values. A
 * registration is used with the issuer and the redirect address it was made for, and with no other.
 */

/** How often somebody else's registration may come in between. */
const ATTEMPTS_MAX = 3

export interface RegistrationsDeps {
  readonly effects: Pick<Effects, 'now'>
  readonly keys: Keyring
  readonly meta: MetaStore
  readonly namespace: string
  readonly port: OAuthPort
}

export interface RegistrationOptions {
  /** Of the MCP server. */
  readonly name: string
  readonly site: TrustedEndpoints
  readonly oauth: McpOAuthOption
  readonly server: AuthorizationServer
  readonly scope: string | null
}

interface Registration {
  readonly issuer: string
  readonly redirectUrl: string
  readonly client: OAuthClient
}

export class Registrations {
  readonly #house: RegistrationsDeps
  readonly #flights = new Map<string, Promise<OAuthClient>>()

  constructor(house: RegistrationsDeps) {
    this.#house = house
  }

  /** Callers at the same time share one registration. */
  clientFor(wish: RegistrationOptions): Promise<OAuthClient> {
    const { clientId, clientSecret } = wish.oauth
    if (clientId !== undefined) {
      return Promise.resolve({ client_id: clientId, ...(clientSecret && { client_secret: clientSecret }) })
    }
    const key = JSON.stringify([wish.name, wish.server.issuer])
    let flight = this.#flights.get(key)
    if (flight === undefined) {
      flight = this.#find(wish).finally(() => this.#flights.delete(key))
      this.#flights.set(key, flight)
    }
    return flight
  }

  /** The server knows that client no more: the next authorization registers anew. */
  async forget(name: string, client: OAuthClient): Promise<void> {
    const { meta } = this.#house
    const key = this.#key(name)
    const stored = await meta.get(key)
    if (stored === undefined || this.#open(name, stored)?.client.client_id !== client.client_id) return
    await meta.compareAndSet(key, stored, '')
  }

  async #find(wish: RegistrationOptions): Promise<OAuthClient> {
    const { meta, keys, port } = this.#house
    const { name, site, oauth, server, scope } = wish
    const { redirectUrl } = oauth
    const key = this.#key(name)
    let made: OAuthClient | undefined
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const stored = await meta.get(key)
      const known = stored ? this.#open(name, stored) : undefined
      if (known?.issuer === server.issuer && known.redirectUrl === redirectUrl && this.#isGood(known.client)) {
        return known.client
      }
      made ??= await port.register(site, { server, redirectUrl, scope })
      const registration: Registration = { issuer: server.issuer, redirectUrl, client: made }
      const sealed = keys.seal(JSON.stringify(registration), this.#context(name))
      if (await meta.compareAndSet(key, stored, sealed)) return made
    }
    return made as OAuthClient
  }

  #isGood(client: OAuthClient): boolean {
    const until = 'client_secret_expires_at' in client ? client.client_secret_expires_at : undefined
    return until === undefined || until === 0 || until * 1_000 > this.#house.effects.now()
  }

  #open(name: string, stored: string): Registration | undefined {
    try {
      return JSON.parse(this.#house.keys.open(stored, this.#context(name))) as Registration
    } catch {
      return undefined
    }
  }

  #key(name: string): string {
    return `mcp-client:${this.#house.keys.mac('identity', ['mcp client', this.#house.namespace, name])}`
  }

  #context(name: string): string[] {
    return ['mcp client', this.#house.namespace, name]
  }
}
