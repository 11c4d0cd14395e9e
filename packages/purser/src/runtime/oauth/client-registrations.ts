import type { Effects } from '../../core/effects.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { McpOAuthOption } from '../../options.ts'
import type { MetaStore } from '../../storage/store.ts'
import type { AuthorizationServer, OAuthClient, OAuthPort, TrustedEndpoints } from './ports.ts'

/*
 * Client registrations at authorization servers (RFC 7591). A configured client id is used as it is. Otherwise the
 * application registers itself, once for each configured MCP server, and stores the result sealed in the meta store. A
 * registration is used only with the issuer and the redirect URL it was made for.
 */

/** How often a registration of another process may be stored first. */
const ATTEMPTS_MAX = 3

export interface ClientRegistrationsDeps {
  readonly namespace: string
  readonly effects: Pick<Effects, 'now'>
  readonly keys: Keyring
  readonly meta: MetaStore
  readonly oauth: OAuthPort
}

export interface ClientRequest {
  /** Name of the MCP server. */
  readonly name: string
  readonly endpoints: TrustedEndpoints
  readonly options: McpOAuthOption
  readonly server: AuthorizationServer
  readonly scope: string | null
}

interface Registration {
  readonly issuer: string
  readonly redirectUrl: string
  readonly client: OAuthClient
}

export class ClientRegistrations {
  readonly #deps: ClientRegistrationsDeps
  readonly #pending = new Map<string, Promise<OAuthClient>>()

  constructor(deps: ClientRegistrationsDeps) {
    this.#deps = deps
  }

  /** Concurrent callers share one registration. */
  getClient(request: ClientRequest): Promise<OAuthClient> {
    const { clientId, clientSecret } = request.options
    if (clientId !== undefined) {
      return Promise.resolve({ client_id: clientId, ...(clientSecret && { client_secret: clientSecret }) })
    }
    const key = JSON.stringify([request.name, request.server.issuer])
    let pending = this.#pending.get(key)
    if (pending === undefined) {
      pending = this.#getOrRegister(request).finally(() => this.#pending.delete(key))
      this.#pending.set(key, pending)
    }
    return pending
  }

  /** Deletes a client that its server no longer knows: the next authorization registers a new one. */
  async forget(name: string, client: OAuthClient): Promise<void> {
    const { meta } = this.#deps
    const key = this.#metaKey(name)
    const stored = await meta.get(key)
    if (stored === undefined || this.#open(name, stored)?.client.client_id !== client.client_id) return
    await meta.compareAndSet(key, stored, '')
  }

  async #getOrRegister({ name, endpoints, options, server, scope }: ClientRequest): Promise<OAuthClient> {
    const { meta, keys, oauth } = this.#deps
    const { redirectUrl } = options
    const key = this.#metaKey(name)
    let client: OAuthClient | undefined
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const stored = await meta.get(key)
      const known = stored ? this.#open(name, stored) : undefined
      if (known?.issuer === server.issuer && known.redirectUrl === redirectUrl && !this.#isExpired(known.client)) {
        return known.client
      }
      client ??= await oauth.register(endpoints, { server, redirectUrl, scope })
      const registration: Registration = { issuer: server.issuer, redirectUrl, client }
      const sealed = keys.seal(JSON.stringify(registration), this.#sealingContext(name))
      if (await meta.compareAndSet(key, stored, sealed)) return client
    }
    return client as OAuthClient
  }

  #isExpired(client: OAuthClient): boolean {
    const expiresAt = 'client_secret_expires_at' in client ? client.client_secret_expires_at : undefined
    return expiresAt !== undefined && expiresAt !== 0 && expiresAt * 1_000 <= this.#deps.effects.now()
  }

  #open(name: string, stored: string): Registration | undefined {
    try {
      return JSON.parse(this.#deps.keys.open(stored, this.#sealingContext(name))) as Registration
    } catch {
      return undefined
    }
  }

  #metaKey(name: string): string {
    return `mcp-client:${this.#deps.keys.mac('identity', ['mcp client', this.#deps.namespace, name])}`
  }

  #sealingContext(name: string): string[] {
    return ['mcp client', this.#deps.namespace, name]
  }
}
