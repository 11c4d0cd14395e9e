import type { Client } from '@modelcontextprotocol/client'
import { isLargeJson } from '../core/json-pieces.ts'
import { PurserError } from '../errors.ts'
import type { Override } from '../runtime/api.ts'
import type { AiSdkUser } from './ai-sdk-user.ts'

export interface PurserToolsOptions {
  /** Id of a session of the user, whose settings apply. Default: no session. */
  readonly session?: string | undefined
  /** Settings for the listing and the tool calls only; nothing is stored. */
  readonly override?: Override | undefined
  /** Names of MCP servers. Default: `mcpServers` of the user's settings; all configured ones when no layer sets it. */
  readonly servers?: readonly string[] | undefined
  /** Aborts the listing; tool calls have their own signal. */
  readonly signal?: AbortSignal | undefined
}

/** A tool for the AI SDK. Its input is validated by its MCP server. */
export interface PurserTool {
  readonly description?: string
  readonly title?: string
  readonly inputSchema: InputSchema
  /**
   * Calls the tool through a lease of its own. Resolves to the result of the MCP server, also for `isError` results.
   */
  execute(input: unknown, options: { readonly abortSignal?: AbortSignal | undefined }): Promise<unknown>
  /** The result as the model sees it: text, images and audio as they are, other content as JSON. */
  toModelOutput(options: { readonly output: unknown }): ToolOutput
}

/** A Standard Schema (standardschema.dev) that provides the server's JSON schema and accepts every value. */
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
 * Lists the tools of the user's MCP servers as a tool set for the AI SDK. The servers are called with the user's own
 * credentials.
 *
 * Every tool call takes and releases its own lease, so that a tool set may be kept without holding clients open. Two
 * servers that offer a tool of the same name get the names `SERVER_NAME` for it. A name that model APIs do not accept is
 * changed to letters, digits, `_` and `-`, at most 64; the server is called with its own name.
 *
 * @param user The handle of `purser.user(id)`.
 * @param options Session, override, names of servers and a signal for the listing.
 * @returns The tools by name, for the `tools` of `generateText` and `streamText`.
 * @throws {PurserError} `mcp_unknown`, `mcp_unavailable`, `secret_missing` or `runtime_busy` when a server cannot be
 *   listed; a tool call rejects with the same codes, or with the reason of its signal.
 *
 * @example
 * ```ts
 * import { generateText, stepCountIs } from 'ai'
 * import { purserModel, purserTools } from 'purser/ai-sdk'
 *
 * const user = purser.user('ada')
 * const { text } = await generateText({
 *   model: purserModel(user),
 *   tools: await purserTools(user, { servers: ['wiki'] }),
 *   stopWhen: stepCountIs(5),
 *   prompt: 'What does the wiki say about leases?',
 * })
 * ```
 */
export async function purserTools(
  user: AiSdkUser,
  options: PurserToolsOptions = {},
): Promise<Record<string, PurserTool>> {
  const { session, override, signal } = options
  const lease = await user.runtime.acquire({ session, override, signal })
  try {
    const servers = options.servers ?? lease.mcpServers
    const toolsByServer = await Promise.all(
      servers.map(async (server) => {
        const client = await lease.mcp(server, { signal })
        const { tools } = await mapSdkErrors(server, signal, () => client.listTools(undefined, requestOptions(signal)))
        validateTools(server, tools)
        return tools.map((tool) => ({ server, tool }))
      }),
    )
    const listed = toolsByServer.flat()
    const listedByName = Map.groupBy(listed, ({ tool }) => toToolName(tool.name))
    const taken = new Set<string>()
    return Object.fromEntries(
      listed.map(({ server, tool }) => {
        const isOnly = listedByName.get(toToolName(tool.name))?.length === 1
        const name = reserveName(taken, toToolName(isOnly ? tool.name : `${server}_${tool.name}`))
        return [name, createTool(user, { server, tool, options })]
      }),
    )
  } finally {
    lease.release()
  }
}

/** Tools of one server; no model is given as many. */
const TOOLS_MAX = 1_000

/** Throws `mcp_unavailable` for a list that no model can be given: too many tools, or one with a schema of more than 64 KiB. */
function validateTools(server: string, tools: readonly ListedTool[]): void {
  const unusable = tools.find(({ description, inputSchema }) => isLargeJson([description ?? '', inputSchema]))
  if (tools.length <= TOOLS_MAX && unusable === undefined) return
  const what = unusable === undefined ? `more than ${TOOLS_MAX} tools` : 'a tool whose description is too large'
  throw new PurserError('mcp_unavailable', `The MCP server '${server}' lists ${what}.`, { details: { server } })
}

interface CreateToolOptions {
  readonly server: string
  readonly tool: ListedTool
  readonly options: PurserToolsOptions
}

function createTool(user: AiSdkUser, { server, tool, options }: CreateToolOptions): PurserTool {
  const { session, override } = options
  return {
    ...(tool.description === undefined ? {} : { description: tool.description }),
    ...(tool.title === undefined ? {} : { title: tool.title }),
    inputSchema: createInputSchema(tool.inputSchema),
    toModelOutput,
    async execute(input, { abortSignal: signal }) {
      const lease = await user.runtime.acquire({ session, override, signal })
      try {
        const client = await lease.mcp(server, { signal })
        const args = (input ?? {}) as Record<string, unknown>
        const call = { name: tool.name, arguments: args }
        return await mapSdkErrors(server, signal, () => client.callTool(call, requestOptions(signal)))
      } finally {
        lease.release()
      }
    },
  }
}

/** What all model APIs accept: letters, digits, `_` and `-`, beginning with a letter or `_`. */
const NAME_MAX_CHARACTERS = 64

function toToolName(name: string): string {
  const accepted = name.replace(/[^a-zA-Z0-9_-]/g, '_').replace(/^(?![a-zA-Z_])/, '_')
  return accepted.slice(0, NAME_MAX_CHARACTERS)
}

/** The name, with a number at its end if it is taken. */
function reserveName(taken: Set<string>, name: string): string {
  let free = name
  for (let number = 2; taken.has(free); number++) {
    const suffix = `_${number}`
    free = name.slice(0, NAME_MAX_CHARACTERS - suffix.length) + suffix
  }
  taken.add(free)
  return free
}

/** The client package's errors may quote the server and are its own; callers get codes of Purser. */
async function mapSdkErrors<T>(server: string, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    if (PurserError.is(cause)) throw cause
    throw new PurserError('mcp_unavailable', `The MCP server '${server}' did not answer the call.`, {
      hint: 'See the cause; the next call connects again if the connection was lost.',
      cause,
      details: { server },
    })
  }
}

function requestOptions(signal: AbortSignal | undefined): { signal: AbortSignal } | undefined {
  return signal === undefined ? undefined : { signal }
}

function createInputSchema(schema: Record<string, unknown>): InputSchema {
  const copySchema = (): Record<string, unknown> => structuredClone(schema)
  return {
    '~standard': {
      version: 1,
      vendor: 'purser',
      validate: (value) => ({ value }),
      jsonSchema: { input: copySchema, output: copySchema },
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
