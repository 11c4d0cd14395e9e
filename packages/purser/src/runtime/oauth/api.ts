import type { AuthorizationServerMetadata, OAuthClientInformationMixed } from '@modelcontextprotocol/client'
import type { PurserError } from '../../errors.ts'

/*
 * How an MCP server that wants OAuth is spoken to: the protocol is the adapter's; what is kept, sealed, claimed and
 * used once is the runtime's.
 */

/** Speaks OAuth with authorization servers. Keeps nothing; every request has a time limit and is sent once. */
export interface AuthorizationPort {
  /**
   * Finds the authorization server of an MCP server. Rejects with `mcp_unavailable` or `host_not_allowed`; the
   * configured issuer, where there is one, is the only one that will do.
   */
  discover(site: TrustedEndpoints, signal: AbortSignal): Promise<AuthorizationServer>
  /** Registers this application with an authorization server that knows it not yet. */
  register(site: TrustedEndpoints, order: RegistrationRequest): Promise<OAuthClient>
  /** Where the person has to go, and the PKCE verifier to keep until they are back. No I/O. */
  begin(order: BeginRequest): Promise<{ readonly url: string; readonly verifier: string }>
  /** Exchanges the code that the person came back with. Never rejects. */
  redeem(site: TrustedEndpoints, order: RedeemRequest): Promise<TokenAnswer>
  /** Uses up a refresh token. Never rejects. */
  refresh(site: TrustedEndpoints, order: RefreshRequest): Promise<TokenAnswer>
}

/** The addresses that the operator named: these may also be inside, all others must be on the public internet. */
export interface TrustedEndpoints {
  /** Of the MCP server; placeholders are filled in. */
  readonly url: string
  /** Of the authorization server, when it is configured. */
  readonly issuer: string | undefined
}

/** An authorization server as it described itself. Plain JSON, kept sealed with what was got from it. */
export interface AuthorizationServer {
  readonly issuer: string
  readonly metadata: AuthorizationServerMetadata
  /** What tokens are to be good for (RFC 8707); null when the MCP server does not name itself. */
  readonly resource: string | null
  /** What the MCP server asks for; null when it does not say. */
  readonly scope: string | null
}

/** As the authorization server knows this application. */
export type OAuthClient = OAuthClientInformationMixed

export interface RegistrationRequest {
  readonly server: AuthorizationServer
  readonly redirectUrl: string
  readonly scope: string | null
}

export interface BeginRequest {
  readonly server: AuthorizationServer
  readonly client: OAuthClient
  readonly redirectUrl: string
  readonly scope: string | null
  readonly state: string
}

export interface RedeemRequest {
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

/** What became of a code or refresh token that was sent to its server. */
export type TokenAnswer =
  | { readonly outcome: 'granted'; readonly tokens: Tokens }
  /** The server took it and said no; `code` is OAuth's. */
  | { readonly outcome: 'refused'; readonly code: string }
  /** It has certainly not been used: it may be sent again. */
  | { readonly outcome: 'unsent'; readonly cause: Error }
  /** It may have been used up: it must not be sent again. */
  | { readonly outcome: 'unknown'; readonly cause: Error }

export interface Tokens {
  readonly access: string
  /** null when the server gives none. */
  readonly refresh: string | null
  /** How long `access` is good for; null when the server does not say. */
  readonly lifetimeMs: number | null
  readonly scope: string | null
}

/** The access tokens of one user for one MCP server, as a connection uses them. */
export interface TokenSource {
  /** A token that is not known to be over. Rejects with `mcp_unavailable`; `details.reason` says why. */
  token(): Promise<string>
  /** The server refused `token`: resolves to another one, or rejects like `token`. */
  refused(token: string): Promise<string>
  /** The server refused `token` too, which came in place of a refused one: resolves to what to tell the caller. */
  refusedAgain(token: string): Promise<PurserError>
  /** The server took `token`. */
  accepted(token: string): void
  /** The token last given out, for parting: a connection that ends renews nothing. */
  readonly last: string | undefined
}
