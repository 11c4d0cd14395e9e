/**
 * `purser/mcp`: connections to MCP servers with the official client package `@modelcontextprotocol/client`, as Purser
 * opens them for its users. Applications get clients from `lease.mcp(name)`; this subpath is for hosts and tests that
 * connect without a Purser.
 *
 * @module
 */
import type { Effects } from '../core/effects.ts'
import { PurserError } from '../errors.ts'
import type { OAuthPort } from '../runtime/oauth/ports.ts'
import type { McpConnector } from '../runtime/ports.ts'

export type { OAuthPort } from '../runtime/oauth/ports.ts'
export type { McpConnection, McpConnector, McpConnectRequest } from '../runtime/ports.ts'

export interface McpConnectorDeps {
  /** Clock and timers; `systemEffects` of `purser` outside of tests. */
  readonly effects: Effects
}

/**
 * Creates the connector of the runtime to MCP servers, over Streamable HTTP and stdio.
 *
 * Each connection has sockets or a child process of its own, which end with it. A child process inherits only the
 * variables that find and start a program, besides its configured `env`. Closing a connection ends its session on the
 * server, which may take 2 s, before the connection is closed. A connection that closed, could not send, or on which a
 * call was cancelled or timed out is reported by `onBroken` and must not be used for further calls. A lost stream is
 * reopened at most 5 times a minute; then the connection is broken, too.
 *
 * The client package is an optional peer dependency, imported with the first connection.
 *
 * @returns The connector. Connecting rejects with `mcp_unavailable` when the client package is not installed, with the
 *   reason of an aborted `signal`, and otherwise with the error of the client.
 *
 * @example
 * ```ts
 * import { systemEffects } from 'purser'
 * import { createMcpConnector } from 'purser/mcp'
 *
 * const connector = createMcpConnector({ effects: systemEffects })
 * const connection = await connector.connect({
 *   server: 'wiki',
 *   definition: { url: 'https://wiki.example/mcp' },
 *   signal: AbortSignal.timeout(10_000),
 * })
 * const { tools } = await connection.client.listTools()
 * await connection.close()
 * ```
 */
export function createMcpConnector({ effects }: McpConnectorDeps): McpConnector {
  return {
    async connect(request) {
      const { connect } = await importClient(() => import('./connect.ts'))
      return connect(effects, request)
    },
    oauth: createLazyOAuthProvider(async () => {
      const { createOAuthProvider } = await importClient(() => import('./oauth-provider.ts'))
      return createOAuthProvider(effects)
    }),
  }
}

function createLazyOAuthProvider(create: () => Promise<OAuthPort>): OAuthPort {
  return {
    discover: async (...args) => (await create()).discover(...args),
    register: async (...args) => (await create()).register(...args),
    start: async (...args) => (await create()).start(...args),
    exchange: async (...args) => (await create()).exchange(...args),
    refresh: async (...args) => (await create()).refresh(...args),
  }
}

/** Imports a module that depends on the client package. */
async function importClient<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    throw new PurserError('mcp_unavailable', 'The package @modelcontextprotocol/client cannot be imported.', {
      hint: 'npm install @modelcontextprotocol/client',
      cause,
    })
  }
}
