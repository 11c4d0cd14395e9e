import { PurserError } from '../../errors.ts'

/** The user has to authorize this application: there is no token, or it can no longer be refreshed. */
export function authorizationRequired(server: string): PurserError {
  return new PurserError('mcp_unavailable', `The MCP server '${server}' requires this user's authorization.`, {
    hint: `Call authorizeMcp('${server}') and send the user's browser to the returned url.`,
    details: { server, reason: 'authorization_required' },
  })
}

export function isAuthorizationRequired(error: unknown): boolean {
  return PurserError.is(error, 'mcp_unavailable') && error.details?.reason === 'authorization_required'
}

/** The server refused a token that was issued just now, so another refresh would not help. */
export function tokenRefused(server: string): PurserError {
  return new PurserError('mcp_unavailable', `The MCP server '${server}' refuses a new token of this user.`, {
    hint: `Check what the server expects, or start again with authorizeMcp('${server}').`,
    details: { server, reason: 'token_refused' },
  })
}

const RETRIED = 'See the cause; the next call tries again.'

export function authorizationServerUnavailable(server: string, cause: Error, hint: string = RETRIED): PurserError {
  return new PurserError('mcp_unavailable', `The authorization server of '${server}' cannot be reached.`, {
    hint,
    cause,
    details: { server, reason: 'authorization_server' },
  })
}

export type InvalidReason = 'state_unknown' | 'state_expired' | 'issuer_mismatch' | 'code_refused'

const MESSAGES: Readonly<Record<InvalidReason, string>> = {
  state_unknown: 'No such authorization of this user is pending; it may have been completed already.',
  state_expired: 'This authorization has expired.',
  issuer_mismatch: 'The callback comes from another authorization server than the one of this authorization.',
  code_refused: 'The authorization server refused the code.',
}

export function authorizationInvalid(server: string, reason: InvalidReason, code?: string): PurserError {
  return new PurserError('authorization_invalid', MESSAGES[reason], {
    hint: `Start again with authorizeMcp('${server}').`,
    details: { server, reason, ...(code === undefined ? {} : { code }) },
  })
}
