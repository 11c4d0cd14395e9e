import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/**
 * A strict authorization server on the loopback: metadata, registration, codes with PKCE, and refresh tokens for one
 * use, whose second use bans the whole token family. All codes and tokens contain `canary`.
 */
export interface AuthorizationServer extends AsyncDisposable {
  readonly issuer: string
  readonly registrations: number
  readonly refreshes: number
  /** Number of refresh tokens that were used a second time. */
  readonly reuses: number
  /** Every code and token that was ever issued. */
  readonly tokens: readonly string[]
  readonly behavior: Behavior
  /** The consent of the person: the parameters with which the browser returns to the application. */
  approve(url: string): Promise<{ state: string; code: string; iss: string }>
  /** Whether the MCP server accepts this access token now. */
  isActive(token: string): boolean
  /** Expires all access tokens. */
  expireAll(): void
}

/** Faults of the server; tests change them while it runs. */
export interface Behavior {
  lifetimeSeconds: number | undefined
  /** Called after a refresh was processed and before the response; may wait, or close the connection. */
  onRefresh(response: ServerResponse): Promise<void> | void
  /** Called before each request is processed; returns true when it has handled the request. */
  intercept(request: IncomingMessage, response: ServerResponse): boolean
  /** Fields that replace those of the metadata. */
  metadata: Record<string, unknown>
}

export const createDefaultBehavior = (): Behavior => ({
  lifetimeSeconds: 3_600,
  onRefresh: () => undefined,
  intercept: () => false,
  metadata: {},
})

interface TokenFamily {
  access: string
  refresh: string
  isBanned: boolean
}

interface Code {
  readonly challenge: string
  readonly clientId: string
  readonly redirectUri: string
  readonly resource: string | null
}

/** Clients, codes and token families. */
class TokenIssuer {
  registrations = 0
  refreshes = 0
  reuses = 0
  readonly tokens: string[] = []
  readonly #clients = new Set<string>()
  readonly #codes = new Map<string, Code>()
  readonly #families: TokenFamily[] = []
  readonly #usedRefreshTokens = new Map<string, TokenFamily>()
  #expired = new Set<string>()

  register(metadata: Record<string, unknown>): object {
    this.registrations++
    const id = `client-${this.registrations}`
    this.#clients.add(id)
    return { ...metadata, client_id: id, token_endpoint_auth_method: 'none' }
  }

  isRegistered(clientId: string | null): boolean {
    return this.#clients.has(clientId ?? '')
  }

  /** Issues a code for an authorization URL. */
  approve(url: string): { state: string; code: string } {
    const query = new URL(url).searchParams
    const get = (name: string): string => query.get(name) ?? ''
    if (get('code_challenge_method') !== 'S256' || !this.isRegistered(get('client_id'))) throw new Error(url)
    const code = this.#createToken('code')
    this.#codes.set(code, {
      challenge: get('code_challenge'),
      clientId: get('client_id'),
      redirectUri: get('redirect_uri'),
      resource: query.get('resource'),
    })
    return { state: get('state'), code }
  }

  /** Exchanges a code, once. */
  redeem(form: URLSearchParams): TokenFamily | undefined {
    const code = this.#codes.get(form.get('code') ?? '')
    this.#codes.delete(form.get('code') ?? '')
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    const isValid =
      code?.challenge === challenge &&
      code.clientId === form.get('client_id') &&
      code.redirectUri === form.get('redirect_uri') &&
      code.resource === form.get('resource')
    if (!isValid) return undefined
    const family = { access: this.#createToken('access'), refresh: this.#createToken('refresh'), isBanned: false }
    this.#families.push(family)
    return family
  }

  refresh(form: URLSearchParams): TokenFamily | undefined {
    const token = form.get('refresh_token') ?? ''
    const reusedFamily = this.#usedRefreshTokens.get(token)
    if (reusedFamily !== undefined) {
      this.reuses++
      reusedFamily.isBanned = true
    }
    const family = this.#families.find((each) => each.refresh === token && !each.isBanned)
    if (family === undefined) return undefined
    this.refreshes++
    this.#usedRefreshTokens.set(token, family)
    family.access = this.#createToken('access')
    family.refresh = this.#createToken('refresh')
    return family
  }

  isActive(token: string): boolean {
    return !this.#expired.has(token) && this.#families.some((family) => family.access === token && !family.isBanned)
  }

  expireAll(): void {
    this.#expired = new Set(this.#families.map(({ access }) => access))
  }

  #createToken(kind: string): string {
    const token = `canary-${kind}-${randomBytes(12).toString('hex')}`
    this.tokens.push(token)
    return token
  }
}

export async function openAuthorizationServer(): Promise<AuthorizationServer> {
  const behavior = createDefaultBehavior()
  const issuer = new TokenIssuer()
  const server = createServer((request, response) => {
    if (!behavior.intercept(request, response)) void handle(request, response)
  })
  const origin = await listen(server)

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', origin)
    if (pathname === '/.well-known/oauth-authorization-server') return sendJson(response, 200, createMetadata())
    if (pathname === '/register') return sendJson(response, 201, issuer.register(JSON.parse(await text(request))))
    if (pathname === '/token') return issueTokens(new URLSearchParams(await text(request)), response)
    sendJson(response, 404, {})
  }

  const createMetadata = (): object => ({
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    authorization_response_iss_parameter_supported: true,
    ...behavior.metadata,
  })

  async function issueTokens(form: URLSearchParams, response: ServerResponse): Promise<void> {
    if (!issuer.isRegistered(form.get('client_id'))) return sendJson(response, 401, { error: 'invalid_client' })
    const isRefresh = form.get('grant_type') === 'refresh_token'
    const family = isRefresh ? issuer.refresh(form) : issuer.redeem(form)
    if (family === undefined) {
      return sendJson(response, 400, { error: 'invalid_grant', error_description: form.toString() })
    }
    if (isRefresh) await behavior.onRefresh(response)
    const { lifetimeSeconds } = behavior
    sendJson(response, 200, {
      access_token: family.access,
      refresh_token: family.refresh,
      token_type: 'Bearer',
      ...(lifetimeSeconds === undefined ? {} : { expires_in: lifetimeSeconds }),
    })
  }

  return {
    issuer: origin,
    behavior,
    tokens: issuer.tokens,
    get registrations() {
      return issuer.registrations
    },
    get refreshes() {
      return issuer.refreshes
    },
    get reuses() {
      return issuer.reuses
    },
    approve: async (url) => ({ ...issuer.approve(url), iss: origin }),
    isActive: (token) => issuer.isActive(token),
    expireAll: () => issuer.expireAll(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function sendJson(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Listens on a free loopback port; resolves to the origin. */
export async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No port.')
  return `http://127.0.0.1:${address.port}`
}
