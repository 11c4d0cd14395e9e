import { PurserError } from '../../errors.ts'

/** The user has to go to the authorization server: there is no token, or it can no longer be renewed. */
export function authorizationRequired(server: string): PurserError {
  return new PurserError('mcp_unavailable', `The MCP server '${server}' needs this user's authorization.`, {
    hint: `Call authorizeMcp('${server}') and send the person to the address it gives.`,
    details: { server, reason: 'authorization_required' },
  })
}

export function needsAuthorization(error: unknown): boolean {
  return PurserError.is(error, 'mcp_unavailable') && error.details?.reason === 'authorization_required'
}

/** A token that was just made, and is refused all the same: another one would fare no better. */
export function tokenRefused(server: string): PurserError {
  return new PurserError('mcp_unavailable', `The MCP server '${server}' refuses a fresh token of this user.`, {
    hint: `Look at what the server expects; authorizeMcp('${server}') asks the person again.`,
    details: { server, reason: 'token_refused' },
  })
}

const RETRIED = 'Look at the cause; the next call tries again.'

export function serverUnreachable(server: string, cause: Error, hint: string = RETRIED): PurserError {
  return new PurserError('mcp_unavailable', `The authorization server of '${server}' cannot be reached.`, {
    hint,
    cause,
    details: { server, reason: 'authorization_server' },
  })
}

export type InvalidReason = 'state_unknown' | 'state_expired' | 'issuer_mismatch' | 'code_refused'

const INVALID: Readonly<Record<InvalidReason, string>> = {
  state_unknown: 'This user has begun no such authorization, or it was completed before.',
  state_expired: 'This authorization took too long.',
  issuer_mismatch: 'The answer does not come from the authorization server that was asked.',
  code_refused: 'The authorization server refused the code.',
}

export function authorizationInvalid(server: string, reason: InvalidReason, code?: string): PurserError {
  return new PurserError('authorization_invalid', INVALID[reason], {
    hint: `Begin again with authorizeMcp('${server}').`,
    details: { server, reason, ...(code === undefined ? {} : { code }) },
  })
}
