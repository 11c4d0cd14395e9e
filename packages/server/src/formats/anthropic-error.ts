import type { ErrorResponse } from 'purser'

/** An error in Anthropic's format. `code` and `hint` say the same as on the other endpoints. */
export interface AnthropicError {
  readonly type: 'error'
  readonly error: {
    readonly type: string
    readonly message: string
    readonly code: string
    readonly hint?: string
  }
  readonly request_id?: string
}

const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}

export function toAnthropicError(
  { code, message, hint, requestId }: ErrorResponse['body']['error'],
  status: number,
): AnthropicError {
  const fallback = status < 500 ? 'invalid_request_error' : 'api_error'
  return {
    type: 'error',
    error: { type: TYPES[status] ?? fallback, message, code, ...(hint === undefined ? {} : { hint }) },
    ...(requestId === undefined ? {} : { request_id: requestId }),
  }
}
