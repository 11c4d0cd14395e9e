import type { Effects } from '../core/effects.ts'
import { PurserError } from '../errors.ts'
import type { ToolFactory } from '../runtime/api.ts'
import type { AuthorizationPort } from '../runtime/oauth/api.ts'

export type { LiveTools, ToolFactory, ToolRequest } from '../runtime/api.ts'
export type { AuthorizationPort } from '../runtime/oauth/api.ts'

/**
 * Fills the tool port with the official MCP client, over Streamable HTTP and stdio. The client package is an
 * optional peer: it is loaded with the first connection, and its absence is told then.
 */
export function createTools({ effects }: { readonly effects: Effects }): ToolFactory {
  return {
    async open(order) {
      const { connect } = await load(() => import('./connect.ts'))
      return connect(effects, order)
    },
    authorization: lazily(async () => {
      const { createAuthorization } = await load(() => import('./oauth-provider.ts'))
      return createAuthorization(effects)
    }),
  }
}

function lazily(port: () => Promise<AuthorizationPort>): AuthorizationPort {
  return {
    discover: async (...order) => (await port()).discover(...order),
    register: async (...order) => (await port()).register(...order),
    begin: async (...order) => (await port()).begin(...order),
    redeem: async (...order) => (await port()).redeem(...order),
    refresh: async (...order) => (await port()).refresh(...order),
  }
}

async function load<Module>(module: () => Promise<Module>): Promise<Module> {
  try {
    return await module()
  } catch (cause) {
    throw new PurserError('mcp_unavailable', 'The package @modelcontextprotocol/client cannot be loaded.', {
      hint: 'Install it beside purser: npm install @modelcontextprotocol/client',
      cause,
    })
  }
}
