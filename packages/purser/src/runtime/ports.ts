import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Client } from '@modelcontextprotocol/client'
import type { Subject } from '../core/subject.ts'
import type { ChatModel } from '../openai/chat-model.ts'
import type { UpstreamEndpoints } from '../openai/endpoint.ts'
import type { SettingsFields } from '../options/settings-patch.ts'
import type { McpServerOption, ProviderOption } from '../options.ts'
import type { OAuthPort, TokenSource } from './oauth/ports.ts'

/*
 * The driven ports of the runtime: `providers/` builds models, `mcp/` connects to MCP servers.
 */

/** Builds live models. Does no I/O: the first call of a model opens its connections. */
export interface ModelFactory {
  /** Throws `host_not_allowed`, or `secret_missing` when the provider needs a key and neither side has one. */
  build(request: ModelRequest): LiveModel
}

/** Everything a live model may depend on: models of equal requests are interchangeable. */
export interface ModelRequest {
  readonly user: Subject
  /** Name of the provider. */
  readonly provider: string
  readonly config: ProviderOption
  readonly modelId: string
  readonly settings: Pick<SettingsFields, 'region' | 'deployment' | 'baseURL'>
  /** The user's own; null without a secret for this provider. They are never mixed with the operator's. */
  readonly credentials: Readonly<Record<string, string>> | null
  /** False when the user set the base URL: then the operator's keys and headers must not be sent there. */
  readonly operatorKeyAllowed: boolean
}

export interface LiveModel {
  /** May be built on first access. */
  readonly model: LanguageModelV4
  readonly chat: ChatModel
  /** The provider's other endpoints, if it has any. */
  readonly endpoints?: UpstreamEndpoints | undefined
  /** Called once, when no lease uses the model any more. */
  close(): Promise<void>
}

/** Connects to MCP servers. */
export interface McpConnector {
  /** Rejects when the server cannot be reached or `signal` is aborted; then no socket and no process is left open. */
  connect(request: McpConnectRequest): Promise<McpConnection>
  readonly oauth: OAuthPort
}

export interface McpConnectRequest {
  /** Name of the server. */
  readonly server: string
  /** Placeholders are filled in: it may hold secrets. */
  readonly definition: McpServerOption
  /** Present when the server uses OAuth. */
  readonly tokenSource?: TokenSource | undefined
  readonly signal: AbortSignal
}

export interface McpConnection {
  /** Its own `close()` has no effect; `close` below closes it. */
  readonly client: Client
  /** Ends the session, then the connection or process. Called once; rejects when the server did not cooperate. */
  close(): Promise<void>
  /** Calls `listener`, at most once, when the connection must not be used by further calls. */
  onBroken(listener: () => void): void
}
