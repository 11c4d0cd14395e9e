import { PurserError } from '../../errors.ts'
import { failureOf, networkFailure } from '../http/errors.ts'

export interface FailureContext {
  readonly provider: string
  /** Wall clock, epoch ms. */
  readonly now: number
  /** Takes keys out of what a provider says. */
  readonly hide: (text: string) => string
}

/**
 * What an error out of an AI SDK model means here. The SDK's classes are known by their names, so that any copy of
 * them will do. Credentials never get into messages: only a refused request quotes the provider.
 */
export function sdkFailure(error: unknown, { provider, now, hide }: FailureContext): unknown {
  const known = findPurserError(error)
  if (known !== undefined) return known
  if (!(error instanceof Error)) return networkFailure(provider, error)
  if (error.name === 'AI_APICallError') {
    const { statusCode, responseHeaders = {}, responseBody = '' } = error as CallError
    // Without a status the connection failed; with 200 the answer was not what it should be.
    if (statusCode === undefined) return networkFailure(provider, error.cause ?? error)
    return failureOf({ provider, status: statusCode, headers: responseHeaders, text: hide(responseBody), now })
  }
  if (REFUSED.has(error.name)) {
    return new PurserError('request_invalid', `The provider '${provider}' cannot do that: ${hide(error.message)}`, {
      cause: error,
    })
  }
  return networkFailure(provider, error)
}

const REFUSED = new Set(['AI_UnsupportedFunctionalityError', 'AI_InvalidPromptError', 'AI_InvalidArgumentError'])

interface CallError extends Error {
  readonly statusCode?: number
  readonly responseHeaders?: Record<string, string>
  readonly responseBody?: string
}

/** The SDK wraps what its fetch throws; a host that is not allowed must be told as that. */
function findPurserError(error: unknown): PurserError | undefined {
  let inner: unknown = error
  for (let depth = 0; depth < 5 && inner instanceof Error; depth++) {
    if (PurserError.is(inner)) return inner
    inner = inner.cause
  }
  return undefined
}
