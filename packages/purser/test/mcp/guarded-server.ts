import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AuthorizationServer, answer, listen } from './authorization-server.ts'
import { type EverythingServer, startEverything } from './everything.ts'

/** The reference MCP server behind a gate that lets nobody in without a token of the authorization server. */
export interface GuardedServer {
  readonly url: string
  /** Requests that were turned away. */
  readonly refusals: number
  close(): Promise<void>
}

export async function startGuardedServer(
  authorization: Pick<AuthorizationServer, 'issuer' | 'isActive'>,
  /** What the gate says of the authorization server. */
  named: string = authorization.issuer,
  challenge = 'Bearer realm="mcp"',
): Promise<GuardedServer> {
  const behind: EverythingServer = await startEverything()
  let refusals = 0
  const gate = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', origin)
    if (pathname === '/.well-known/oauth-protected-resource/mcp') {
      const resource = `${origin}/mcp`
      return answer(response, 200, { resource, authorization_servers: [named], scopes_supported: ['tools'] })
    }
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (pathname === '/mcp' && token !== undefined && authorization.isActive(token)) return pass(request, response)
    refusals++
    answer(response, 401, { error: 'invalid_token', quoted: token }, { 'www-authenticate': challenge })
  })
  const origin = await listen(gate)

  function pass(request: IncomingMessage, response: ServerResponse): void {
    const onward = httpRequest(behind.url, { method: request.method, headers: request.headers }, (from) => {
      response.writeHead(from.statusCode ?? 502, from.headers)
      from.pipe(response)
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  }

  return {
    url: `${origin}/mcp`,
    get refusals() {
      return refusals
    },
    async close() {
      gate.closeAllConnections()
      await new Promise((resolve) => gate.close(resolve))
      await behind.kill()
    },
  }
}
