/** The fields that every layer can set. */
export interface SettingsFields {
  /** Name of a configured provider. */
  readonly provider: string | null
  /** The provider's own id of the model. */
  readonly model: string | null
  /** The provider's region, for example of Amazon Bedrock. */
  readonly region: string | null
  /** The deployment that serves the model, for example on Azure; on Friendli the endpoint. */
  readonly deployment: string | null
  /** Replaces the provider's base URL. The operator's key is never sent to a URL that the user set. */
  readonly baseURL: string | null
  /**
   * Names of configured MCP servers that `lease.mcp` may connect to. When no layer sets it, every configured server is
   * allowed. No server is connected before the first `lease.mcp`.
   */
  readonly mcpServers: readonly string[]
  /** Tag of the preset that is applied below the user's own settings. */
  readonly preset: string | null
  /** Model parameters under their AI SDK names; layers are merged by name. */
  readonly parameters: ModelParameters
  /** Allowed models as `MODEL` or `PROVIDER/MODEL`; null allows every model of the provider. */
  readonly allowedModels: readonly string[] | null
  /** Models that answer instead when the provider fails before its first byte, in this order; at most 8. */
  readonly fallbacks: readonly Fallback[]
}

/** Parameters of all calls, under their AI SDK names. A provider's own parameters are added by widening the type. */
export type ModelParameters = {
  readonly maxOutputTokens?: number | null | undefined
  readonly temperature?: number | null | undefined
  readonly topP?: number | null | undefined
  readonly topK?: number | null | undefined
  readonly presencePenalty?: number | null | undefined
  readonly frequencyPenalty?: number | null | undefined
  readonly stopSequences?: readonly string[] | null | undefined
  readonly seed?: number | null | undefined
  readonly reasoningEffort?: string | null | undefined
  /** Of the AI SDK, by provider. */
  readonly providerOptions?: Readonly<Record<string, object>> | null | undefined
}

/** A model of another provider, or of the same one. */
export interface Fallback {
  readonly provider: string
  readonly model: string
}

/** A JSON merge patch (RFC 7396): absent or undefined fields stay as they are, null clears. */
export type SettingsPatch = { readonly [Field in keyof SettingsFields]?: SettingsFields[Field] | null | undefined }
