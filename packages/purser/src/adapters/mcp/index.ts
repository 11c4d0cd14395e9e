import type { Effects } from '../../effects.ts'
import { PurserError } from '../../errors.ts'
import type { ToolFactory } from '../../runtime/port.ts'

export type { LiveTools, ToolFactory, ToolOrder } from '../../runtime/port.ts'

/**
 * Fills the tool port with the official MCP client, over Streamable HTTP and stdio. The client package is an
 * optional peer: it is loaded with the first connection, and its absence is told then.
 */
export function createTools({ effects }: { readonly effects: Effects }): ToolFactory {
  return {
    async open(order) {
      const { connect } = await load()
      return connect(effects, order)
    },
  }
}

async function load(): Promise<typeof import('./connect.ts')> {
  try {
    return await import('./connect.ts')
  } catch (cause) {
    throw new PurserError('mcp_unavailable', 'The package @modelcontextprotocol/client cannot be loaded.', {
      hint: 'Install it beside purser: npm install @modelcontextprotocol/client',
      cause,
    })
  }
}
