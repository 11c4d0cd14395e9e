import {
  type AuthorizationServerMetadata,
  assertSecureTokenEndpoint,
  checkResourceAllowed,
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
  exchangeAuthorization,
  extractWWWAuthenticateParams,
  OAuthError,
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
import type {
  AuthorizationPort,
  AuthorizationServer,
  TokenAnswer,
  Tokens,
  TrustedEndpoints,
} from '../runtime/oauth/api.ts'
import { createIsolatedFetch, type IsolatedFetch } from './isolated-fetch.ts'

/** What a stored description of an authorization server may take. */
const METADATA_MAX_CHARACTERS = 16_384
const TOKEN_MAX_CHARACTERS = 16_384
const SCOPE_MAX_CHARACTERS = 4_096
/** 429 and 503 say of themselves that the request was not handled. */
const NOT_HANDLED: readonly unknown[] = [429, 503]

/** Speaks OAuth with the official SDK's pieces, over guarded requests. Errors never carry what a server sent. */
export function createAuthorization(effects: Effects): AuthorizationPort {
  return {
    discover: (site, signal) => told(() => discover(createIsolatedFetch(effects, site, signal), site)),

    register: (site, { server: { metadata, issuer }, redirectUrl, scope }) =>
      told(async () => {
        if (metadata.registration_endpoint === undefined) {
          throw unfit('offers no registration', 'Register this application there, and give oauth.clientId.')
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
          fetchFn: createIsolatedFetch(effects, site).fetch,
        })
      }),

    begin: ({ server: { issuer, metadata, resource }, client, redirectUrl, scope, state }) =>
      told(async () => {
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

    redeem(site, { server: { issuer, metadata, resource }, client, redirectUrl, code, verifier }) {
      const errand = createIsolatedFetch(effects, site)
      return answered(errand, [code, verifier, client.client_secret], () =>
        exchangeAuthorization(issuer, {
          metadata,
          clientInformation: client,
          authorizationCode: code,
          // The caller has compared the one that came with the code.
          iss: metadata.issuer,
          codeVerifier: verifier,
          redirectUri: redirectUrl,
          ...(resource !== null && { resource }),
          fetchFn: errand.fetch,
        }),
      )
    },

    refresh(site, { server: { issuer, metadata, resource }, client, refreshToken }) {
      const errand = createIsolatedFetch(effects, site)
      return answered(errand, [refreshToken, client.client_secret], () =>
        refreshAuthorization(issuer, {
          metadata,
          clientInformation: client,
          refreshToken,
          ...(resource !== null && { resource }),
          fetchFn: errand.fetch,
        }),
      )
    },
  }
}

async function discover(
  errand: IsolatedFetch,
  { url, issuer: configured }: TrustedEndpoints,
): Promise<AuthorizationServer> {
  const challenge = extractWWWAuthenticateParams(await errand.fetch(url, { headers: { accept: 'application/json' } }))
  const described = await describedBy(errand, url, challenge.resourceMetadataUrl)
  const named = described?.authorization_servers ?? []
  if (configured !== undefined && named.length > 0 && !named.includes(configured)) {
    throw unfit('is not the one that is configured', 'Look at oauth.issuer of this MCP server.', 'issuer_mismatch')
  }
  const issuer = configured ?? named[0] ?? new URL('/', url).href
  const metadata = await discoverAuthorizationServerMetadata(issuer, { fetchFn: errand.fetch })
  if (metadata === undefined) throw unfit('cannot be found', 'Name it as oauth.issuer of this MCP server.')
  if (!metadata.code_challenge_methods_supported?.includes('S256')) throw unfit('does not offer PKCE with S256')
  assertSecureTokenEndpoint(metadata.authorization_endpoint)
  assertSecureTokenEndpoint(metadata.token_endpoint)
  const kept = essential(metadata)
  if (JSON.stringify(kept).length > METADATA_MAX_CHARACTERS) throw unfit('says too much about itself')
  return {
    issuer: metadata.issuer,
    metadata: kept,
    resource: described?.resource ?? null,
    scope: challenge.scope ?? described?.scopes_supported?.join(' ') ?? null,
  }
}

/** What the MCP server says of itself (RFC 9728); undefined when it says nothing. */
async function describedBy(errand: IsolatedFetch, url: string, where: URL | undefined) {
  const described = await discoverOAuthProtectedResourceMetadata(
    url,
    where === undefined ? {} : { resourceMetadataUrl: where },
    errand.fetch,
  ).catch((error: unknown) => {
    if (PurserError.is(error) || errand.status === undefined || errand.status === 200) throw error
    return undefined
  })
  if (described === undefined) return undefined
  const requestedResource = resourceUrlFromServerUrl(url)
  if (checkResourceAllowed({ requestedResource, configuredResource: described.resource })) return described
  throw unfit('is named by a description of another MCP server')
}

/** What exchanging codes and tokens needs; the rest of what a server says of itself is not kept. */
const ESSENTIALS = [
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

function essential(metadata: AuthorizationServerMetadata): AuthorizationServerMetadata {
  return Object.fromEntries(ESSENTIALS.map((name) => [name, metadata[name]])) as AuthorizationServerMetadata
}

/** Without it some servers give no refresh token. */
function withOfflineAccess(scope: string, { scopes_supported }: AuthorizationServerMetadata): string {
  const offered = scopes_supported?.includes('offline_access') && !scope.split(' ').includes('offline_access')
  return offered ? `${scope} offline_access` : scope
}

/** Tells apart what was certainly not used, what was refused, and what may have been used up. */
async function answered(
  errand: IsolatedFetch,
  secrets: readonly (string | undefined)[],
  ask: () => Promise<OAuthTokens>,
): Promise<TokenAnswer> {
  try {
    return { outcome: 'granted', tokens: tokensIn(await ask()) }
  } catch (error) {
    const { wasSent, status } = errand
    if (!wasSent)
      return {
        outcome: 'unsent',
        cause: redactError(
          error,
          secrets.filter((each) => each !== undefined),
        ),
      }
    if (NOT_HANDLED.includes(status)) return { outcome: 'unsent', cause: answeredWith(status) }
    const isRefusal = status !== undefined && status < 500 && error instanceof OAuthError
    if (isRefusal && /^[a-z_]{1,64}$/.test(error.code)) return { outcome: 'refused', code: error.code }
    return { outcome: 'unknown', cause: answeredWith(status) }
  }
}

/** Bodies stay out of errors: they may hold tokens. */
function answeredWith(status: number | undefined): Error {
  return new Error(
    status === undefined
      ? 'The connection to the authorization server was lost.'
      : `The authorization server answered with status ${status}, and not as OAuth says.`,
  )
}

function tokensIn({ access_token, refresh_token, expires_in, scope, token_type }: OAuthTokens): Tokens {
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

async function told<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (PurserError.is(error)) throw error
    // These two quote what the server sent.
    const isQuoting = error instanceof SyntaxError || error instanceof RegistrationRejectedError
    throw new PurserError('mcp_unavailable', 'The authorization server of this MCP server cannot be used.', {
      hint: 'Look at the cause, and at oauth.issuer of this MCP server.',
      cause: isQuoting ? new Error('It did not answer as OAuth says.') : error,
      details: { reason: 'authorization_server' },
    })
  }
}

function unfit(fault: string, hint?: string, reason = 'authorization_server'): PurserError {
  return new PurserError('mcp_unavailable', `The authorization server of this MCP server ${fault}.`, {
    hint,
    details: { reason },
  })
}
