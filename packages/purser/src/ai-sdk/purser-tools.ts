import type { Client } from '@modelcontextprotocol/client'
import type { Override } from '../runtime/api.ts'
import type { AiSdkUser } from './user.ts'

export interface PurserToolsOptions {
  readonly session?: string | undefined
  readonly override?: Override | undefined
  /** Names of MCP servers. Default: those in the user's settings. */
  readonly servers?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

/** A tool as the AI SDK takes it. Its input is checked by the MCP server that it belongs to. */
export interface PurserTool {
  readonly description?: string
  readonly title?: string
  readonly inputSchema: InputSchema
  execute(input: unknown, options: { readonly abortSignal?: AbortSignal | undefined }): Promise<unknown>
  toModelOutput(options: { readonly output: unknown }): ToolOutput
}

/** A standard schema (standardschema.dev) that only tells its JSON schema. */
export interface InputSchema {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: 'purser'
    validate(value: unknown): { readonly value: unknown }
    readonly jsonSchema: {
      input(): Record<string, unknown>
      output(): Record<string, unknown>
    }
  }
}

type ToolOutput =
  | { type: 'error-text'; value: string }
  | {
      type: 'content'
      value: (
        | { type: 'text'; text: string }
        | { type: 'file'; mediaType: string; data: { type: 'data'; data: string } }
      )[]
    }

type ListedTool = Awaited<ReturnType<Client['listTools']>>['tools'][number]

/**
 * The tools of the user's MCP servers, under the user's own credentials. Nothing stays open between calls but what the
 * runtime keeps live: each call leases the server's client anew. A name that two servers offer is told as `SERVER_NAME`.
 * Rejects with `mcp_unavailable`, `mcp_unknown` or `secret_missing` when a server cannot be asked.
 */
export async function purserTools(
  user: AiSdkUser,
  options: PurserToolsOptions = {},
): Promise<Record<string, PurserTool>> {
  const { session, override, signal } = options
  const lease = await user.runtime.acquire({ session, override, signal })
  try {
    const servers = options.servers ?? lease.settings.mcpServers
    const listed = await Promise.all(
      servers.map(async (server) => {
        const { tools } = await (await lease.mcp(server, { signal })).listTools(undefined, requestOptions(signal))
        return tools.map((tool) => ({ server, tool }))
      }),
    )
    const offered = listed.flat()
    const offers = Map.groupBy(offered, ({ tool }) => tool.name)
    return Object.fromEntries(
      offered.map(({ server, tool }) => {
        const name = offers.get(tool.name)?.length === 1 ? tool.name : `${server}_${tool.name}`
        return [name, toolOf(user, { server, tool, options })]
      }),
    )
  } finally {
    lease.release()
  }
}

interface Offer {
  readonly server: string
  readonly tool: ListedTool
  readonly options: PurserToolsOptions
}

function toolOf(user: AiSdkUser, { server, tool, options }: Offer): PurserTool {
  const { session, override } = options
  return {
    ...(tool.description === undefined ? {} : { description: tool.description }),
    ...(tool.title === undefined ? {} : { title: tool.title }),
    inputSchema: schemaOf(tool.inputSchema),
    toModelOutput,
    async execute(input, { abortSignal: signal }) {
      const lease = await user.runtime.acquire({ session, override, signal })
      try {
        const client = await lease.mcp(server, { signal })
        const given = (input ?? {}) as Record<string, unknown>
        return await client.callTool({ name: tool.name, arguments: given }, requestOptions(signal))
      } finally {
        lease.release()
      }
    },
  }
}

function requestOptions(signal: AbortSignal | undefined): { signal: AbortSignal } | undefined {
  return signal === undefined ? undefined : { signal }
}

function schemaOf(schema: Record<string, unknown>): InputSchema {
  const told = (): Record<string, unknown> => structuredClone(schema)
  return {
    '~standard': {
      version: 1,
      vendor: 'purser',
      validate: (value) => ({ value }),
      jsonSchema: { input: told, output: told },
    },
  }
}

interface ToolResult {
  readonly isError?: boolean
  readonly content?: readonly {
    readonly type: string
    readonly text?: string
    readonly data?: string
    readonly mimeType?: string
  }[]
}

/** What the model is shown: text and images as they are, anything else as JSON. */
function toModelOutput({ output }: { readonly output: unknown }): ToolOutput {
  const { isError, content = [] } = (output ?? {}) as ToolResult
  if (isError === true) return { type: 'error-text', value: content.map(({ text }) => text ?? '').join('\n') }
  return {
    type: 'content',
    value: content.map((part) => {
      if (part.type === 'text') return { type: 'text', text: part.text ?? '' }
      const { data, mimeType } = part
      if ((part.type === 'image' || part.type === 'audio') && data !== undefined && mimeType !== undefined) {
        return { type: 'file', mediaType: mimeType, data: { type: 'data', data } }
      }
      return { type: 'text', text: JSON.stringify(part) }
    }),
  }
}
