import type { AuthorizationServerMetadata, OAuthClientInformationMixed } from '@modelcontextprotocol/client'
import type { PurserError } from '../../errors.ts'

/*
 * OAuth with MCP servers: `mcp/` speaks the protocol; the runtime stores, seals and claims what has to be used once.
 */

/** Speaks OAuth with authorization servers. Stateless; every request has a time limit and is sent once. */
export interface OAuthPort {
  /**
   * Finds the authorization server of an MCP server. A configured issuer is the only one accepted. Rejects with
   * `mcp_unavailable` or `host_not_allowed`.
   */
  discover(endpoints: TrustedEndpoints, signal: AbortSignal): Promise<AuthorizationServer>
  /** Registers this application with an authorization server (RFC 7591). */
  register(endpoints: TrustedEndpoints, request: RegistrationRequest): Promise<OAuthClient>
  /** Builds the authorization URL, and the PKCE verifier to store until the callback. No I/O. */
  start(request: StartRequest): Promise<{ readonly url: string; readonly verifier: string }>
  /** Exchanges the authorization code for tokens. Never rejects. */
  exchange(endpoints: TrustedEndpoints, request: ExchangeRequest): Promise<TokenResult>
  /** Uses up a refresh token. Never rejects. */
  refresh(endpoints: TrustedEndpoints, request: RefreshRequest): Promise<TokenResult>
}

/** The URLs that the operator configured: these may be private addresses, all others must be on the public internet. */
export interface TrustedEndpoints {
  /** The MCP server; placeholders are filled in. */
  readonly url: string
  /** The authorization server, when configured. */
  readonly issuer: string | undefined
}

/** An authorization server as it describes itself. Plain JSON, stored sealed with the tokens it issued. */
export interface AuthorizationServer {
  readonly issuer: string
  readonly metadata: AuthorizationServerMetadata
  /** The resource that tokens are requested for (RFC 8707); null when the MCP server does not name itself. */
  readonly resource: string | null
  /** The scope that the MCP server asks for; null when it names none. */
  readonly scope: string | null
}

/** The client information that an authorization server holds about this application. */
export type OAuthClient = OAuthClientInformationMixed

export interface RegistrationRequest {
  readonly server: AuthorizationServer
  readonly redirectUrl: string
  readonly scope: string | null
}

export interface StartRequest {
  readonly server: AuthorizationServer
  readonly client: OAuthClient
  readonly redirectUrl: string
  readonly scope: string | null
  readonly state: string
}

export interface ExchangeRequest {
  readonly server: AuthorizationServer
  readonly client: OAuthClient
  readonly redirectUrl: string
  readonly code: string
  readonly verifier: string
}

export interface RefreshRequest {
  readonly server: AuthorizationServer
  readonly client: OAuthClient
  readonly refreshToken: string
}

/** The result of sending a code or a refresh token. */
export type TokenResult =
  | { readonly outcome: 'granted'; readonly tokens: Tokens }
  /** The server answered with an OAuth error; `code` is its code. */
  | { readonly outcome: 'refused'; readonly code: string }
  /** It was certainly not used: it may be sent again. */
  | { readonly outcome: 'unsent'; readonly cause: Error }
  /** It may have been used up: it must not be sent again. */
  | { readonly outcome: 'unknown'; readonly cause: Error }

export interface Tokens {
  readonly access: string
  /** null when the server issued none. */
  readonly refresh: string | null
  /** Lifetime of `access`; null when the server does not state it. */
  readonly lifetimeMs: number | null
  readonly scope: string | null
}

/** The access tokens of one user for one connection to an MCP server. */
export interface TokenSource {
  /** Returns a token that is not known to have expired. Rejects with `mcp_unavailable`; see `details.reason`. */
  getToken(): Promise<string>
  /** The server refused `token`: resolves to another one, or rejects like `getToken`. */
  replaceToken(token: string): Promise<string>
  /** The server refused `token` too, the replacement of a refused one: resolves to the error for the caller. */
  describeRefusal(token: string): Promise<PurserError>
  /** The server accepted `token`. */
  confirmToken(token: string): void
  /** The token returned last, for closing the connection: no token is refreshed for that. */
  readonly lastToken: string | undefined
}
