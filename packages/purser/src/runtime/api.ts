import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Client } from '@modelcontextprotocol/client'
import type { AbortOptions } from '../core/abort.ts'
import type { ChatModel } from '../openai/chat-model.ts'
import type { UpstreamEndpoints } from '../openai/endpoint.ts'
import type { SettingsFields, SettingsPatch } from '../options/settings-patch.ts'

/** The layer a setting comes from; each layer overrides the ones before it. */
export type Layer = 'default' | 'plan' | 'preset' | 'user' | 'session' | 'turn'

/** The effective settings of a user, resolved from all layers: one consistent, deeply frozen snapshot. */
export interface Settings extends SettingsFields {
  /** Number of changes by `configure`; 0 for a user who was never configured. */
  readonly version: number
  /** The layer each field comes from. */
  readonly origin: Readonly<Record<keyof SettingsFields, Layer>>
}

/** Settings of one turn. `{ preset }` is expanded into this layer; other fields of the override win over the preset. */
export type Override = SettingsPatch

/** A conversation that records which models it ran on and can keep the settings of its start. */
export interface Session {
  readonly id: string
  /** `pin`: keeps the settings of its start. `follow`: always uses the current settings. */
  readonly policy: 'pin' | 'follow'
  /** `settings.version` at its start. */
  readonly version: number
  /** ISO 8601, UTC. */
  readonly createdAt: string
  /** ISO 8601, UTC; exact to the hour. */
  readonly lastUsedAt: string
  /** Models it ran on, in order of first use; the newest 20. */
  readonly models: readonly { readonly provider: string; readonly model: string; readonly firstUsedAt: string }[]
}

/** A stored secret without its values. */
export interface SecretInfo {
  /** The provider or MCP server it is for. */
  readonly name: string
  /** The names of its fields. */
  readonly fields: readonly string[]
  /** ISO 8601, UTC. */
  readonly updatedAt: string
}

/** A user's authorization at an MCP server that uses OAuth. Tokens are never shown. */
export interface McpAuthorization {
  /** The MCP server. */
  readonly name: string
  /** The authorization server. */
  readonly issuer: string
  readonly scopes: readonly string[]
  /** ISO 8601, UTC. */
  readonly authorizedAt: string
  /** False when the tokens can no longer be refreshed: the user has to go through `authorizeMcp` again. */
  readonly isUsable: boolean
}

/** Options of calls that are written to the user's log. */
export interface ActorOptions extends AbortOptions {
  /** The actor in the log; 1 to 256 bytes. Default `'app'`. */
  readonly actor?: string | undefined
}

export interface ConfigureOptions extends ActorOptions {
  /** The write fails with `version_conflict` unless `settings.version` is this. */
  readonly expectedVersion?: number | undefined
  /** The reason in the log; 1 to 1,024 bytes. */
  readonly reason?: string | undefined
}

export interface EvictOptions extends ActorOptions {
  /** The reason in the log; 1 to 1,024 bytes. Without a reason and an actor the eviction is not logged. */
  readonly reason?: string | undefined
}

/** Selects the session layer and the turn layer. */
export interface AcquireOptions extends AbortOptions {
  /** Session id. An unknown session behaves like `follow` and is not created. */
  readonly session?: string | undefined
  /** Settings of this call only; they are not stored. */
  readonly override?: Override | undefined
}

/** The query parameters with which the user's browser returned from the authorization server. */
export interface AuthorizationCallback {
  readonly state: string
  readonly code: string
  /** Issuer (RFC 9207); pass it when the query has it. */
  readonly iss?: string | undefined
}

/** `user.runtime`: the settings, secrets, sessions and live clients of one user. */
export interface UserRuntime {
  /**
   * Applies a merge patch to the user's own settings in one atomic step and logs it. A patch that changes nothing
   * keeps the version and is not logged. The settings of one user hold at most 8,192 bytes of JSON.
   *
   * @param patch Absent fields stay as they are, null shows the layer below again.
   * @returns The effective settings after the change.
   * @throws {PurserError} `version_conflict`, `settings_invalid`, `provider_unknown`, `model_required`,
   * `model_not_allowed`, `preset_unknown`, `mcp_unknown`, `argument_invalid`; then nothing was changed.
   */
  configure(patch: SettingsPatch, options?: ConfigureOptions): Promise<Settings>
  /**
   * Reads the effective settings. Creates nothing and does not count as a use. Settings on which nothing can run are
   * returned as well, unless there is an override.
   *
   * @throws {PurserError} With an override the settings errors of `configure`.
   */
  settings(options?: AcquireOptions): Promise<Settings>
  /**
   * Seals credentials of the user for a provider or an MCP server, and logs it. They cannot be read back.
   *
   * @param fields At most 32 named texts of at most 16,384 bytes, such as `{ apiKey }`; null removes the secret. A name
   *   that is nearly one of those that the provider reads, such as `api_key`, is `secret_invalid`.
   * @throws {PurserError} `provider_unknown` for a name that is not configured, `secret_invalid`, `argument_invalid`.
   */
  setSecret(name: string, fields: Readonly<Record<string, string>> | null, options?: ActorOptions): Promise<void>
  /** Lists the user's secrets without their values. */
  secrets(options?: AbortOptions): Promise<SecretInfo[]>
  /**
   * Starts the OAuth authorization of an MCP server. It is valid for 10 minutes; up to four may be pending for one
   * server, a further one replaces the oldest.
   *
   * @returns `url`: send the user's browser there.
   * @throws {PurserError} `mcp_unknown`, `argument_invalid` when the server is configured without OAuth,
   * `mcp_unavailable`, `host_not_allowed`, `secret_missing`, `user_erased`.
   * @example
   * const { url } = await user.runtime.authorizeMcp('wiki')
   * // the user returns to `oauth.redirectUrl` with a query
   * await user.runtime.completeMcp('wiki', { state, code, iss })
   * const client = await lease.mcp('wiki')
   */
  authorizeMcp(name: string, options?: AbortOptions): Promise<{ readonly url: string; readonly expiresAt: string }>
  /**
   * Completes an authorization that this user started, once, and logs it. It continues when `signal` is aborted,
   * because the code can be used only once.
   *
   * @throws {PurserError} `authorization_invalid` with `details.reason` `state_unknown`, `state_expired`,
   * `issuer_mismatch` or `code_refused`; `mcp_unknown`, `mcp_unavailable`, `user_erased`, `argument_invalid`.
   */
  completeMcp(name: string, callback: AuthorizationCallback, options?: ActorOptions): Promise<McpAuthorization>
  /**
   * Deletes the tokens of a server, and logs it. Its connections close when their leases end.
   *
   * @returns Whether there was an authorization.
   */
  deauthorizeMcp(name: string, options?: ActorOptions): Promise<boolean>
  /** Lists the user's authorizations at MCP servers. */
  mcpAuthorizations(options?: AbortOptions): Promise<McpAuthorization[]>
  /**
   * Starts a session, or returns the running one with this id and policy. With another policy the session starts
   * again. A user has at most 100 sessions: a further one ends the least recently used. A session ends after 90 days
   * without use.
   *
   * @param id 1 to 256 bytes of text without control characters.
   * @throws {PurserError} `session_invalid`; with `pin` also the settings errors of `configure`.
   */
  startSession(id: string, options: ActorOptions & { readonly policy: 'pin' | 'follow' }): Promise<Session>
  /** Lists the user's sessions, most recently used first. */
  sessions(options?: AbortOptions): Promise<Session[]>
  /**
   * Ends a session.
   *
   * @returns Whether there was one.
   */
  endSession(id: string, options?: ActorOptions): Promise<boolean>
  /**
   * Leases the live runtime, and opens it when it is not in memory. The settings and clients of the lease stay as they
   * are until `release`. At `runtime.maxLive` the least recently used runtime is evicted.
   *
   * @throws {PurserError} The settings errors of `configure`; `secret_missing`, `session_invalid`, `user_erased`,
   * `closed`, `store_unavailable`; `runtime_busy` when all `maxLive` runtimes are leased.
   * @example
   * await using lease = await user.runtime.acquire({ session: 'chat-7' })
   * const { text } = await generateText({ model: lease.model, prompt })
   */
  acquire(options?: AcquireOptions): Promise<Lease>
  /**
   * Evicts the user's live clients in every process; clients in use close when their last lease ends. Resolves when
   * the other clients of this process are closed.
   */
  evict(options?: EvictOptions): Promise<void>
}

/** What turns use besides: the runtime as far as it is in memory, without a promise. */
export interface InternalUserRuntime extends UserRuntime {
  /** What `settings()` would return; undefined if they have to be read. */
  peekSettings(): Settings | undefined
  /** What `acquire()` would return; undefined if it has to read or to wait. */
  acquireWarm(): Lease | undefined
}

/**
 * One use of a user's runtime. Its settings and clients neither change nor close before `release`, whatever is
 * configured meanwhile. Only erasing the user, closing Purser and `runtime.maxLeaseMs` end it earlier.
 */
export interface Lease {
  readonly settings: Settings
  /** The user's incarnation; writes of the turn carry it. */
  readonly incarnation: number
  /** An AI SDK language model. Throws `model_required` when no layer sets a model, `closed`, `user_erased`. */
  readonly model: LanguageModelV4
  /** The same model in the chat completions format, used by turns. Throws like `model`. */
  readonly chat: ChatModel
  /** The other endpoints of the model's provider; undefined if it has none. Throws like `model`. */
  readonly endpoints: UpstreamEndpoints | undefined
  /** Names of the MCP servers that `mcp` may connect to: those of the settings, or all when no layer sets them. */
  readonly mcpServers: readonly string[]
  /**
   * Returns a connected client of an MCP server; its `close()` has no effect. All leases of the user share it.
   *
   * @param name A server that `settings.mcpServers` allows.
   * @throws {PurserError} `mcp_unknown`, `mcp_unavailable` (`details.reason`, `details.retryAfterMs`),
   * `secret_missing`, `secret_invalid`, `closed`, `user_erased`; `runtime_busy` at `runtime.maxMcpProcesses`.
   */
  mcp(name: string, options?: AbortOptions): Promise<Client>
  /** Ends the lease. Safe to call twice. */
  release(): void
  [Symbol.asyncDispose](): Promise<void>
}

/** A runtime in the memory of this process, as shown to operators. */
export interface ActiveRuntime {
  readonly user: string
  /** `settings.version`. */
  readonly version: number
  /** Number of leases. */
  readonly inUse: number
  /** Time since the last lease ended; 0 while in use. */
  readonly idleMs: number
  readonly clients: readonly ActiveClient[]
}

export interface ActiveClient {
  readonly kind: 'model' | 'mcp'
  /** `PROVIDER/MODEL`, or the name of the MCP server. */
  readonly name: string
  /** `draining`: no new lease gets it; it closes when the last lease on it ends. */
  readonly state: 'opening' | 'open' | 'draining'
  /** Number of leases that use it. */
  readonly inUse: number
}
