import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Client } from '@modelcontextprotocol/client'
import type { AbortOptions } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import type { ChatModel } from '../openai/chat-model.ts'
import type { McpServerOption, ProviderOption } from '../options.ts'
import type { AuthorizationPort, TokenSource } from './oauth/api.ts'

/** Where a value comes from; each layer wins over the ones before it. */
export type Layer = 'default' | 'preset' | 'user' | 'session' | 'turn'

/** What can be set for a user, in every layer. */
export interface SettingsFields {
  /** Name of a configured provider. */
  readonly provider: string | null
  /** The provider's own id of the model. */
  readonly model: string | null
  /** Where the provider runs it, as with Amazon Bedrock. */
  readonly region: string | null
  /** The deployment that serves the model, as with Azure; at Friendli the endpoint. */
  readonly deployment: string | null
  /** Another address of the provider. The operator's key is never sent to one that a user brought. */
  readonly baseURL: string | null
  /** Names of configured MCP servers; when no layer names any, each may be asked for and none is opened unasked. */
  readonly mcpServers: readonly string[]
  /** Tag of the preset below the user's own settings. */
  readonly preset: string | null
  /** Model parameters under their AI SDK names; layers are merged by name. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** `MODEL` or `PROVIDER/MODEL`; null: every model the provider offers. */
  readonly allowedModels: readonly string[] | null
}

/** What a user runs on, resolved from all layers: one consistent, deeply frozen snapshot. */
export interface Settings extends SettingsFields {
  /** How often this user was configured; 0 for somebody who never was. */
  readonly version: number
  readonly origin: Readonly<Record<keyof SettingsFields, Layer>>
}

/** A JSON merge patch (RFC 7396): what is absent or undefined stays, null clears. */
export type SettingsPatch = { readonly [Field in keyof SettingsFields]?: SettingsFields[Field] | null | undefined }

/** Settings of one turn. `{ preset }` is expanded into this layer; fields beside it win over the preset's. */
export type Override = SettingsPatch

export interface Scope {
  readonly session?: string | undefined
  readonly override?: Override | undefined
}

export interface Session {
  readonly id: string
  /** `pin`: keeps the settings of its creation. `follow`: always runs on the present ones. */
  readonly policy: 'pin' | 'follow'
  /** `settings.version` at its creation. */
  readonly version: number
  readonly createdAt: string
  readonly lastUsedAt: string
  /** What it has run on, in order of first use; the newest 20. */
  readonly models: readonly { readonly provider: string; readonly model: string; readonly firstUsedAt: string }[]
}

export interface SecretInfo {
  /** The provider or MCP server it is for. */
  readonly name: string
  readonly fields: readonly string[]
  readonly updatedAt: string
}

/** What a user has allowed at an MCP server that wants OAuth. Tokens are never shown. */
export interface McpAuthorization {
  /** The MCP server. */
  readonly name: string
  /** The authorization server. */
  readonly issuer: string
  readonly scopes: readonly string[]
  readonly authorizedAt: string
  /** False when only the person can help: `authorizeMcp` again. */
  readonly isUsable: boolean
}

/** `user.runtime`: what this user runs on. */
export interface UserRuntime {
  /**
   * Changes settings in one atomic step, and logs it. Errors: `version_conflict`, `settings_invalid`,
   * `provider_unknown`, `model_required`, `model_not_allowed`, `preset_unknown`, `mcp_unknown`.
   */
  configure(
    patch: SettingsPatch,
    options?: AbortOptions & {
      readonly expectedVersion?: number | undefined
      readonly actor?: string | undefined
      readonly reason?: string | undefined
    },
  ): Promise<Settings>
  /** Looks; creates nothing and is not a use. With an override the same errors as `acquire`. */
  settings(scope?: Scope & AbortOptions): Promise<Settings>
  /** Seals credentials for a provider or MCP server; null removes them. They cannot be read back. */
  setSecret(
    name: string,
    fields: Readonly<Record<string, string>> | null,
    options?: AbortOptions & { readonly actor?: string | undefined },
  ): Promise<void>
  /** Which secrets there are, without their values. */
  secrets(options?: AbortOptions): Promise<SecretInfo[]>
  /**
   * Begins to ask the person for access to an MCP server that wants OAuth: send their browser to `url`. Good for 10
   * minutes; four may be under way for one server. Errors: `mcp_unknown`, `mcp_unavailable`, `secret_missing`.
   */
  authorizeMcp(name: string, options?: AbortOptions): Promise<{ readonly url: string; readonly expiresAt: string }>
  /**
   * Completes it with the query that the person came back with, once, for the user who began it, and logs it. Give
   * `iss` when it is there. Errors: `authorization_invalid` (`details.reason`), `mcp_unavailable`, `user_erased`.
   */
  completeMcp(
    name: string,
    answer: { readonly state: string; readonly code: string; readonly iss?: string | undefined },
    options?: AbortOptions & { readonly actor?: string | undefined },
  ): Promise<McpAuthorization>
  /** Forgets the tokens of a server; its connections close as their leases end. Tells whether there were any. */
  deauthorizeMcp(name: string, options?: AbortOptions & { readonly actor?: string | undefined }): Promise<boolean>
  mcpAuthorizations(options?: AbortOptions): Promise<McpAuthorization[]>
  /** Starts a session, or takes up the one of that id and policy. At most 100; the longest unused makes room. */
  startSession(id: string, options: AbortOptions & { readonly policy: 'pin' | 'follow' }): Promise<Session>
  /** Newest use first. */
  sessions(options?: AbortOptions): Promise<Session[]>
  /** Tells whether there was one. */
  endSession(id: string, options?: AbortOptions): Promise<boolean>
  /**
   * Takes the live runtime into use. Errors: those of `configure`, `secret_missing`, `runtime_busy`, `user_erased`,
   * `closed`, `store_unavailable`.
   */
  acquire(options?: Scope & AbortOptions): Promise<Lease>
  /**
   * Lets go of live clients in every process; those in use close when their last lease ends. Resolves when the others
   * here are closed. With a reason, the user's log tells of it.
   */
  evict(
    options?: AbortOptions & { readonly reason?: string | undefined; readonly actor?: string | undefined },
  ): Promise<void>
}

/**
 * One use of a user's runtime. Nothing it holds changes or closes before `release`, whatever happens to the
 * settings meanwhile; only erasing the user, closing Purser or `runtime.maxLeaseMs` cuts it short.
 */
export interface Lease {
  readonly settings: Settings
  /** Which life of the user this belongs to: writes of the turn carry it. */
  readonly incarnation: number
  /** For the AI SDK. Throws `model_required` when no layer names a model. */
  readonly model: LanguageModelV4
  /** For a turn, which speaks the chat completions format. Throws like `model`. */
  readonly chat: ChatModel
  /**
   * A connected client of a configured server; its `close()` does nothing. Errors: `mcp_unknown`, `mcp_unavailable`,
   * `secret_missing`, `runtime_busy`, `user_erased`.
   */
  mcp(name: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Client>
  /** Safe to call twice. */
  release(): void
  [Symbol.asyncDispose](): Promise<void>
}

/** A runtime that is in memory, as an operator sees it. */
export interface ActiveRuntime {
  readonly user: string
  readonly version: number
  /** Leases that are out. */
  readonly inUse: number
  /** Since the last use ended; 0 while in use. */
  readonly idleMs: number
  readonly clients: readonly ActiveClient[]
}

export interface ActiveClient {
  readonly kind: 'model' | 'mcp'
  /** `PROVIDER/MODEL`, or the server's name. */
  readonly name: string
  readonly state: 'opening' | 'open' | 'draining'
  readonly inUse: number
}

/** All runtimes of one Purser. */
export interface Runtimes {
  of(user: Subject): UserRuntime
  /** Looks; nothing it shows counts as used. */
  active(): ActiveRuntime[]
  /** Evicts now what has been idle for longer than `idleMs`, and closes what else is due. */
  sweep(): Promise<{ evicted: number }>
  /** After an erasure: cuts this user's leases and closes their clients here, and says so to other processes. */
  forget(user: Subject): Promise<void>
  /** Takes no new work, waits for leases until the deadline, then cuts; each client is closed once. */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
}

/** Makes live models. Does no I/O: connections are made by the first call. */
export interface ModelFactory {
  /** Throws `secret_missing` when the provider needs a key and neither side gave one, or `host_not_allowed`. */
  build(order: ModelRequest): LiveModel
}

/** Everything a live model may depend on: two equal orders make models that may stand for each other. */
export interface ModelRequest {
  readonly user: Subject
  readonly provider: string
  readonly config: ProviderOption
  readonly modelId: string
  readonly settings: Pick<SettingsFields, 'region' | 'deployment' | 'baseURL'>
  /** The user's own; null when they have none for this provider. They are never mixed with the operator's. */
  readonly credentials: Readonly<Record<string, string>> | null
  /** False when the base URL came from the user: then the operator's keys and headers must not go there. */
  readonly operatorKeyAllowed: boolean
}

export interface LiveModel {
  /** May be built at the first look. */
  readonly model: LanguageModelV4
  readonly chat: ChatModel
  /** Called once, when nobody uses the model any more. */
  close(): Promise<void>
}

/** Opens connections to MCP servers. */
export interface ToolFactory {
  /** Rejects when the server cannot be reached or `signal` is aborted; then nothing is left open. */
  open(order: ToolRequest): Promise<LiveTools>
  readonly authorization: AuthorizationPort
}

export interface ToolRequest {
  readonly server: string
  /** Placeholders are filled in: it may hold secrets. */
  readonly definition: McpServerOption
  /** Present where the server wants OAuth. */
  readonly bearer?: TokenSource | undefined
  readonly signal: AbortSignal
}

export interface LiveTools {
  /** Its `close()` does nothing; `close` below is what closes it. */
  readonly client: Client
  /** Ends the session, then the connection or process. Called once; rejects when the server did not play along. */
  close(): Promise<void>
  /** Tells, at most once, that the connection must not be given to anybody any more. */
  onBroken(listener: () => void): void
}
