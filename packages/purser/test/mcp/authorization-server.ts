import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/*
 * A strict authorization server on loopback: metadata, registration, codes with PKCE, refresh tokens that are good for
 * one time and whose second use bans the whole family. It counts everything.
 */

export interface AuthorizationServer {
  readonly issuer: string
  readonly registrations: number
  readonly refreshes: number
  /** Refresh tokens that came a second time. */
  readonly reuses: number
  /** Every token there ever was. */
  readonly tokens: readonly string[]
  readonly behaviour: Behaviour
  /** The person says yes: what the browser brings back to the application. */
  approve(url: string): Promise<{ state: string; code: string; iss: string }>
  /** Access tokens that are good for the MCP server now, and for whom. */
  isActive(token: string): boolean
  /** All access tokens are over. */
  expireAll(): void
  close(): Promise<void>
}

export interface Behaviour {
  lifetimeSeconds: number | undefined
  /** Runs when a refresh was made, before it is answered: may hang, or end the connection. */
  onRefresh(response: ServerResponse): Promise<void> | void
  /** In place of handling a request at all. */
  instead(request: IncomingMessage, response: ServerResponse): boolean
  metadata: Record<string, unknown>
}

interface Family {
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

export async function startAuthorizationServer(given: Partial<Behaviour> = {}): Promise<AuthorizationServer> {
  const behaviour: Behaviour = {
    lifetimeSeconds: 3_600,
    onRefresh: () => undefined,
    instead: () => false,
    metadata: {},
    ...given,
  }
  const counts = { registrations: 0, refreshes: 0, reuses: 0 }
  const codes = new Map<string, Code>()
  const families: Family[] = []
  const used = new Map<string, Family>()
  const clients = new Set<string>()
  const tokens: string[] = []
  const fresh = (kind: string): string => {
    const token = `canary-${kind}-${randomBytes(12).toString('hex')}`
    tokens.push(token)
    return token
  }
  const server = createServer((request, response) => {
    if (!behaviour.instead(request, response)) void handle(request, response)
  })
  const issuer = await listen(server)

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', issuer)
    if (pathname === '/.well-known/oauth-authorization-server') return answer(response, 200, metadata())
    if (pathname === '/register') return answer(response, 201, register(JSON.parse(await text(request))))
    if (pathname === '/token') return token(new URLSearchParams(await text(request)), response)
    answer(response, 404, {})
  }

  const metadata = (): object => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    authorization_response_iss_parameter_supported: true,
    ...behaviour.metadata,
  })

  function register(wanted: Record<string, unknown>): object {
    counts.registrations++
    const id = `client-${counts.registrations}`
    clients.add(id)
    return { ...wanted, client_id: id, token_endpoint_auth_method: 'none' }
  }

  async function token(form: URLSearchParams, response: ServerResponse): Promise<void> {
    if (!clients.has(form.get('client_id') ?? '')) return answer(response, 401, { error: 'invalid_client' })
    const family = form.get('grant_type') === 'refresh_token' ? refresh(form) : redeem(form)
    if (family === undefined)
      return answer(response, 400, { error: 'invalid_grant', error_description: form.toString() })
    if (form.get('grant_type') === 'refresh_token') await behaviour.onRefresh(response)
    const { lifetimeSeconds } = behaviour
    answer(response, 200, {
      access_token: family.access,
      refresh_token: family.refresh,
      token_type: 'Bearer',
      ...(lifetimeSeconds === undefined ? {} : { expires_in: lifetimeSeconds }),
    })
  }

  function redeem(form: URLSearchParams): Family | undefined {
    const code = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    const fits =
      code?.challenge === challenge &&
      code.clientId === form.get('client_id') &&
      code.redirectUri === form.get('redirect_uri') &&
      code.resource === form.get('resource')
    if (!fits) return undefined
    const family = { access: fresh('access'), refresh: fresh('refresh'), isBanned: false }
    families.push(family)
    return family
  }

  function refresh(form: URLSearchParams): Family | undefined {
    const given = form.get('refresh_token') ?? ''
    const reused = used.get(given)
    if (reused !== undefined) {
      counts.reuses++
      reused.isBanned = true
    }
    const family = families.find((each) => each.refresh === given && !each.isBanned)
    if (family === undefined) return undefined
    counts.refreshes++
    used.set(given, family)
    family.access = fresh('access')
    family.refresh = fresh('refresh')
    return family
  }

  let ended = new Set<string>()
  return {
    issuer,
    behaviour,
    tokens,
    get registrations() {
      return counts.registrations
    },
    get refreshes() {
      return counts.refreshes
    },
    get reuses() {
      return counts.reuses
    },
    async approve(url) {
      const query = new URL(url).searchParams
      const asked = (name: string): string => query.get(name) ?? ''
      if (asked('code_challenge_method') !== 'S256' || !clients.has(asked('client_id'))) throw new Error(url)
      const code = fresh('code')
      codes.set(code, {
        challenge: asked('code_challenge'),
        clientId: asked('client_id'),
        redirectUri: asked('redirect_uri'),
        resource: query.get('resource'),
      })
      return { state: asked('state'), code, iss: issuer }
    },
    isActive: (token) => !ended.has(token) && families.some((family) => family.access === token && !family.isBanned),
    expireAll() {
      ended = new Set(families.map(({ access }) => access))
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function answer(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No port.')
  return `http://127.0.0.1:${address.port}`
}
