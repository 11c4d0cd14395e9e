import { PurserError } from 'purser'

/** The error for a field that a translated request cannot say. `what` completes "This provider does not support …". */
export function unsupportedParameter(what: string, param: string): PurserError {
  return new PurserError('unsupported_parameter', `This provider does not support ${what}.`, { details: { param } })
}

/** The error for a field with an invalid value. */
export function invalidRequest(message: string, param: string): PurserError {
  return new PurserError('request_invalid', message, { details: { param } })
}
