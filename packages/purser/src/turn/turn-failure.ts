import { PurserError } from '../errors.ts'
import type { ProviderRefusal } from '../ledger/api.ts'
import type { TurnFailure, TurnOptions } from './options.ts'

/** The code of a failure, as a caller over HTTP gets it. */
export function codeOfFailure(error: unknown): string {
  return PurserError.is(error) ? error.code : 'internal_error'
}

/** Calls `onFailure`. Its own error does not replace that of the turn. */
export function reportFailure({ onFailure }: TurnOptions, failure: TurnFailure): void {
  try {
    onFailure?.(failure)
  } catch (cause) {
    // An uncaught exception, as with a subscriber of diagnostics.
    process.nextTick(() => {
      throw cause
    })
  }
}

/**
 * A refusal of the person, not of the request: it names the pseudonym, or has the code of OpenAI for that. Undefined for
 * any other error.
 */
export function findRefusal(
  error: unknown,
  { user, provider, model }: Pick<TurnFailure, 'user' | 'provider' | 'model'>,
): Omit<ProviderRefusal, 'incarnation'> | undefined {
  if (!PurserError.is(error, 'upstream_rejected') || provider === null) return undefined
  const code = codeOfProvider(error)
  const isOfPerson = error.message.includes(user) || code === 'identifier_blocked'
  return isOfPerson ? { provider, model, code } : undefined
}

const PROVIDER_CODE = /^[\w.:-]{1,64}$/

/** The provider's own code, unless it is a text. */
function codeOfProvider({ details }: PurserError): string | null {
  return typeof details?.code === 'string' && PROVIDER_CODE.test(details.code) ? details.code : null
}
