import { isObject } from '../core/validate.ts'
import { findError } from './find-error.ts'

/** A longer answer or event passes without being searched for an error. */
const MAX_CHARACTERS = 1_048_576

/** An error that is not null, or an event that is one; a quote inside of a text is always escaped. */
const ERROR = /"error"(?!\s*:\s*null\b)|"response\.failed"/

/** Events of a failure: of all endpoints, and of a response that has failed. */
const ERROR_EVENTS: readonly unknown[] = ['error', 'response.failed']

/**
 * The error in an answer of any endpoint, or in one event of it: beside the answer, instead of it, or in the response that
 * an event is about. Undefined if there is none.
 */
export function findEndpointError(json: string, event = 'message'): unknown {
  const isErrorEvent = ERROR_EVENTS.includes(event)
  if (json.length > MAX_CHARACTERS) return isErrorEvent ? {} : undefined
  if (!isErrorEvent && !ERROR.test(json)) return undefined
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
