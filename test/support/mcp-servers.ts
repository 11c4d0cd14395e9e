import { openAuthorizationServer } from '../../packages/purser/test/support/authorization-server.ts'
import { openEverythingServer } from '../../packages/purser/test/support/everything-server.ts'
import { openGuardedServer } from '../../packages/purser/test/support/guarded-server.ts'

/** The MCP servers of the documentation: an open one, and one with OAuth. */
export interface McpServers extends AsyncDisposable {
  /** Replaces the addresses in a program with those of the running servers. */
  replaceAddresses(text: string): string
}

export async function openMcpServers(): Promise<McpServers> {
  const open = await openEverythingServer()
  const authorization = await openAuthorizationServer()
  const guarded = await openGuardedServer(authorization)
  // Consents for every person: the browser is redirected to the application at once.
  authorization.behavior.intercept = (request, response) => {
    if (!request.url?.startsWith('/authorize?')) return false
    const url = `${authorization.issuer}${request.url}`
    const redirect = new URL(new URL(url).searchParams.get('redirect_uri') ?? '')
    void authorization.approve(url).then((answer) => {
      for (const [name, value] of Object.entries(answer)) redirect.searchParams.set(name, value)
      response.writeHead(302, { location: redirect.href }).end()
    })
    return true
  }
  return {
    replaceAddresses: (text) =>
      text
        .replaceAll('http://127.0.0.1:3001/mcp', open.url)
        .replaceAll('http://127.0.0.1:3002/mcp', guarded.url)
        .replaceAll('http://127.0.0.1:3003', authorization.issuer),
    async [Symbol.asyncDispose]() {
      await Promise.all([open, guarded, authorization].map((server) => server[Symbol.asyncDispose]()))
    },
  }
}
