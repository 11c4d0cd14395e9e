import { PurserError } from '../../errors.ts'
import { mapHttpError, mapNetworkError } from '../http/errors.ts'

export interface SdkErrorContext {
  readonly provider: string
  /** Wall clock, epoch ms. */
  readonly now: number
  /** Removes keys from messages of the provider. */
  readonly redact: (text: string) => string
}

/**
 * Maps an error of an AI SDK model to a `PurserError`. The SDK's error classes are recognized by name, so that any copy
 * of the SDK works. Only the error for a rejected request quotes the provider, redacted.
 */
export function mapSdkError(error: unknown, { provider, now, redact }: SdkErrorContext): unknown {
  const purserError = findPurserError(error)
  if (purserError !== undefined) return purserError
  if (!(error instanceof Error)) return mapNetworkError(provider, error)
  if (error.name === 'AI_APICallError') {
    const { statusCode, responseHeaders = {}, responseBody = '' } = error as ApiCallError
    // Without a status the connection failed; with status 200 the body was not an answer.
    if (statusCode === undefined) return mapNetworkError(provider, error.cause ?? error)
    return mapHttpError({ provider, status: statusCode, headers: responseHeaders, text: responseBody, now, redact })
  }
  if (REQUEST_ERRORS.has(error.name)) {
    const message = `The provider '${provider}' does not support this request: ${redact(error.message)}`
    const isUnsupported = error.name === 'AI_UnsupportedFunctionalityError'
    return new PurserError(isUnsupported ? 'unsupported_parameter' : 'request_invalid', message, { cause: error })
  }
  return mapNetworkError(provider, error)
}

const REQUEST_ERRORS = new Set(['AI_UnsupportedFunctionalityError', 'AI_InvalidPromptError', 'AI_InvalidArgumentError'])

interface ApiCallError extends Error {
  readonly statusCode?: number
  readonly responseHeaders?: Record<string, string>
  readonly responseBody?: string
}

/** The SDK wraps errors of its fetch; `host_not_allowed` must reach the caller as such. */
function findPurserError(error: unknown): PurserError | undefined {
  let inner: unknown = error
  for (let depth = 0; depth < 5 && inner instanceof Error; depth++) {
    if (PurserError.is(inner)) return inner
    inner = inner.cause
  }
  return undefined
}
