import {
  type AuthorizationServerMetadata,
  assertSecureTokenEndpoint,
  checkResourceAllowed,
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
  exchangeAuthorization,
  extractWWWAuthenticateParams,
  OAuthError,
  type OAuthProtectedResourceMetadata,
  type OAuthTokens,
  RegistrationRejectedError,
  refreshAuthorization,
  registerClient,
  resolveClientMetadata,
  resourceUrlFromServerUrl,
  startAuthorization,
} from '@modelcontextprotocol/client'
import type { Effects } from '../core/effects.ts'
import { redactError } from '../core/redact.ts'
import { PurserError } from '../errors.ts'
import type { AuthorizationServer, OAuthPort, TokenResult, Tokens, TrustedEndpoints } from '../runtime/oauth/ports.ts'
import { createIsolatedFetch, type IsolatedFetch } from './isolated-fetch.ts'

/** Limit for the stored metadata of an authorization server, as JSON. */
const METADATA_MAX_CHARACTERS = 16_384
const TOKEN_MAX_CHARACTERS = 16_384
const SCOPE_MAX_CHARACTERS = 4_096
/** These statuses mean that the server did not process the request. */
const UNPROCESSED_STATUSES: readonly unknown[] = [429, 503]

/** OAuth with the functions of the official SDK, over isolated requests. Errors never contain what a server sent. */
export function createOAuthProvider(effects: Effects): OAuthPort {
  return {
    discover: (endpoints, signal) =>
      withMappedErrors(() => discover(createIsolatedFetch(effects, endpoints, signal), endpoints)),

    register: (endpoints, { server: { metadata, issuer }, redirectUrl, scope }) =>
      withMappedErrors(async () => {
        if (metadata.registration_endpoint === undefined) {
          throw unusable('offers no registration', {
            hint: 'Register this application with the authorization server and configure oauth.clientId.',
          })
        }
        assertSecureTokenEndpoint(metadata.registration_endpoint)
        const clientMetadata = resolveClientMetadata({
          redirectUrl,
          clientMetadata: { client_name: 'Purser', redirect_uris: [redirectUrl], response_types: ['code'] },
        })
        return registerClient(issuer, {
          metadata,
          clientMetadata,
          ...(scope !== null && { scope }),
          fetchFn: createIsolatedFetch(effects, endpoints).fetch,
        })
      }),

    start: ({ server: { issuer, metadata, resource }, client, redirectUrl, scope, state }) =>
      withMappedErrors(async () => {
        const { authorizationUrl, codeVerifier } = await startAuthorization(issuer, {
          metadata,
          clientInformation: client,
          redirectUrl,
          state,
          ...(scope !== null && { scope: withOfflineAccess(scope, metadata) }),
          ...(resource !== null && { resource }),
        })
        return { url: authorizationUrl.href, verifier: codeVerifier }
      }),

    exchange(endpoints, { server: { issuer, metadata, resource }, client, redirectUrl, code, verifier }) {
      const isolated = createIsolatedFetch(effects, endpoints)
      return requestTokens(isolated, [code, verifier, client.client_secret], () =>
        exchangeAuthorization(issuer, {
          metadata,
          clientInformation: client,
          authorizationCode: code,
          // The caller has compared it with the issuer that was returned with the code.
          iss: metadata.issuer,
          codeVerifier: verifier,
          redirectUri: redirectUrl,
          ...(resource !== null && { resource }),
          fetchFn: isolated.fetch,
        }),
      )
    },

    refresh(endpoints, { server: { issuer, metadata, resource }, client, refreshToken }) {
      const isolated = createIsolatedFetch(effects, endpoints)
      return requestTokens(isolated, [refreshToken, client.client_secret], () =>
        refreshAuthorization(issuer, {
          metadata,
          clientInformation: client,
          refreshToken,
          ...(resource !== null && { resource }),
          fetchFn: isolated.fetch,
        }),
      )
    },
  }
}

async function discover(
  isolated: IsolatedFetch,
  { url, issuer: configuredIssuer }: TrustedEndpoints,
): Promise<AuthorizationServer> {
  const response = await isolated.fetch(url, { headers: { accept: 'application/json' } })
  const challenge = extractWWWAuthenticateParams(response)
  const resource = await fetchResourceMetadata(isolated, url, challenge.resourceMetadataUrl)
  const issuer = selectIssuer(resource?.authorization_servers ?? [], configuredIssuer) ?? new URL('/', url).href
  const metadata = await discoverAuthorizationServerMetadata(issuer, { fetchFn: isolated.fetch })
  if (metadata === undefined) {
    throw unusable('cannot be found', { hint: 'Configure it as oauth.issuer of this MCP server.' })
  }
  return {
    issuer: metadata.issuer,
    metadata: parseServerMetadata(metadata),
    resource: resource?.resource ?? null,
    scope: challenge.scope ?? resource?.scopes_supported?.join(' ') ?? null,
  }
}

/** The configured issuer, otherwise the first that the MCP server names. */
function selectIssuer(named: readonly string[], configuredIssuer: string | undefined): string | undefined {
  if (configuredIssuer !== undefined && named.length > 0 && !named.includes(configuredIssuer)) {
    throw unusable('is not the configured one', {
      hint: 'Check oauth.issuer of this MCP server.',
      reason: 'issuer_mismatch',
    })
  }
  return configuredIssuer ?? named[0]
}

/** The metadata of the MCP server (RFC 9728); undefined when it publishes none. */
async function fetchResourceMetadata(
  isolated: IsolatedFetch,
  url: string,
  resourceMetadataUrl: URL | undefined,
): Promise<OAuthProtectedResourceMetadata | undefined> {
  const options = resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl }
  const metadata = await discoverOAuthProtectedResourceMetadata(url, options, isolated.fetch).catch(
    (error: unknown) => {
      if (PurserError.is(error) || isolated.status === undefined || isolated.status === 200) throw error
      return undefined
    },
  )
  if (metadata === undefined) return undefined
  const requestedResource = resourceUrlFromServerUrl(url)
  if (checkResourceAllowed({ requestedResource, configuredResource: metadata.resource })) return metadata
  throw unusable('is named by the metadata of another MCP server')
}

/** The fields for exchanging codes and tokens; other metadata is not stored. */
const METADATA_FIELDS = [
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'registration_endpoint',
  'response_types_supported',
  'scopes_supported',
  'code_challenge_methods_supported',
  'token_endpoint_auth_methods_supported',
  'authorization_response_iss_parameter_supported',
] as const satisfies readonly (keyof AuthorizationServerMetadata)[]

function parseServerMetadata(metadata: AuthorizationServerMetadata): AuthorizationServerMetadata {
  if (!metadata.code_challenge_methods_supported?.includes('S256')) throw unusable('does not offer PKCE with S256')
  assertSecureTokenEndpoint(metadata.authorization_endpoint)
  assertSecureTokenEndpoint(metadata.token_endpoint)
  const fields = Object.fromEntries(METADATA_FIELDS.map((name) => [name, metadata[name]]))
  if (JSON.stringify(fields).length > METADATA_MAX_CHARACTERS) throw unusable('has too much metadata')
  return fields as AuthorizationServerMetadata
}

/** Without this scope some servers issue no refresh token. */
function withOfflineAccess(scope: string, { scopes_supported }: AuthorizationServerMetadata): string {
  const isMissing = scopes_supported?.includes('offline_access') && !scope.split(' ').includes('offline_access')
  return isMissing ? `${scope} offline_access` : scope
}

/** Distinguishes what was certainly not used, what was refused, and what may have been used up. Never rejects. */
async function requestTokens(
  isolated: IsolatedFetch,
  secrets: readonly (string | undefined)[],
  request: () => Promise<OAuthTokens>,
): Promise<TokenResult> {
  try {
    return { outcome: 'granted', tokens: parseTokens(await request()) }
  } catch (error) {
    const { wasSent, status } = isolated
    if (!wasSent) {
      const defined = secrets.filter((secret) => secret !== undefined)
      return { outcome: 'unsent', cause: redactError(error, defined) }
    }
    if (UNPROCESSED_STATUSES.includes(status)) return { outcome: 'unsent', cause: unexpectedResponse(status) }
    const isRefusal = status !== undefined && status < 500 && error instanceof OAuthError
    if (isRefusal && /^[a-z_]{1,64}$/.test(error.code)) return { outcome: 'refused', code: error.code }
    return { outcome: 'unknown', cause: unexpectedResponse(status) }
  }
}

/** Errors contain no bodies: these may hold tokens. */
function unexpectedResponse(status: number | undefined): Error {
  return new Error(
    status === undefined
      ? 'The connection to the authorization server was lost.'
      : `The authorization server answered with status ${status}, not in the format of OAuth.`,
  )
}

function parseTokens({ access_token, refresh_token, expires_in, scope, token_type }: OAuthTokens): Tokens {
  if (token_type.toLowerCase() !== 'bearer') throw new Error('The token is not a bearer token.')
  for (const token of [access_token, refresh_token ?? '']) {
    if (token.length > TOKEN_MAX_CHARACTERS) throw new Error('The token is too long.')
  }
  return {
    access: access_token,
    refresh: refresh_token ?? null,
    lifetimeMs: expires_in === undefined ? null : Math.max(0, expires_in) * 1_000,
    scope: scope !== undefined && scope.length <= SCOPE_MAX_CHARACTERS ? scope : null,
  }
}

async function withMappedErrors<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (PurserError.is(error)) throw error
    // The messages of these two quote the response of the server.
    const isQuoting = error instanceof SyntaxError || error instanceof RegistrationRejectedError
    throw unusable('cannot be used', {
      hint: 'See the cause, and check oauth.issuer of this MCP server.',
      cause: isQuoting ? new Error('The response is not in the format of OAuth.') : error,
    })
  }
}

interface UnusableOptions {
  readonly hint?: string
  readonly cause?: unknown
  readonly reason?: 'authorization_server' | 'issuer_mismatch'
}

function unusable(problem: string, options: UnusableOptions = {}): PurserError {
  const { hint, cause, reason = 'authorization_server' } = options
  const message = `The authorization server of this MCP server ${problem}.`
  return new PurserError('mcp_unavailable', message, { hint, cause, details: { reason } })
}
