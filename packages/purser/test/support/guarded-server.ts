import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AuthorizationServer, listen, sendJson } from './authorization-server.ts'
import { openEverythingServer } from './everything-server.ts'

/** The reference MCP server behind a proxy that requires an access token of the authorization server. */
export interface GuardedServer extends AsyncDisposable {
  readonly url: string
}

export interface GuardedServerOptions {
  /** The authorization server in the metadata of the MCP server. Default: the real one. */
  readonly namedIssuer?: string
  /** The `www-authenticate` header. */
  readonly challenge?: string
}

export async function openGuardedServer(
  authorization: Pick<AuthorizationServer, 'issuer' | 'isActive'>,
  { namedIssuer = authorization.issuer, challenge = 'Bearer realm="mcp"' }: GuardedServerOptions = {},
): Promise<GuardedServer> {
  const everything = await openEverythingServer()
  const proxy = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', origin)
    if (pathname === '/.well-known/oauth-protected-resource/mcp') {
      const resource = `${origin}/mcp`
      return sendJson(response, 200, {
        resource,
        authorization_servers: [namedIssuer],
        scopes_supported: ['tools'],
      })
    }
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (pathname === '/mcp' && token !== undefined && authorization.isActive(token)) return forward(request, response)
    sendJson(response, 401, { error: 'invalid_token', quoted: token }, { 'www-authenticate': challenge })
  })
  const origin = await listen(proxy)

  function forward(request: IncomingMessage, response: ServerResponse): void {
    const { method, headers } = request
    const forwarded = httpRequest(everything.url, { method, headers }, (upstreamResponse) => {
      response.writeHead(upstreamResponse.statusCode ?? 502, upstreamResponse.headers)
      upstreamResponse.pipe(response)
    })
    forwarded.on('error', () => response.destroy())
    response.on('close', () => forwarded.destroy())
    request.pipe(forwarded)
  }

  return {
    url: `${origin}/mcp`,
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
      await everything.kill()
    },
  }
}
