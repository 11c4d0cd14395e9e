import { isObject } from '../core/validate.ts'
import { findError } from './find-error.ts'

/** Events of a failure: of all endpoints, and of a response that has failed. */
const ERROR_EVENTS: readonly unknown[] = ['error', 'response.failed']

/**
 * The error in an answer of any endpoint, or in one event of it: beside the answer, instead of it, or in the response that
 * an event is about. Undefined if there is none.
 */
export function findEndpointError(json: string, event = 'message'): unknown {
  const isErrorEvent = ERROR_EVENTS.includes(event)
  // A quote inside of a text is always escaped.
  if (!isErrorEvent && !json.includes('"error"') && !json.includes('"response.failed"')) return undefined
  const value = parse(json)
  const first = Array.isArray(value) ? value[0] : value
  if (!isObject(first)) return isErrorEvent ? value : undefined
  const error = findError(first) ?? (isObject(first.response) ? findError(first.response) : undefined)
  return error ?? (isErrorEvent || ERROR_EVENTS.includes(first.type) ? first : undefined)
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}
