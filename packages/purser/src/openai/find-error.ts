import { isObject } from '../core/validate.ts'

type Fields = Record<string, unknown>

/** What a provider puts into `error` when it says no more. */
const UNSPECIFIED: Fields = {}

/**
 * The error in a chunk or a completion, wherever providers put it: beside `choices` or instead of them, in a choice, or
 * as the object itself. Undefined if there is none; null, empty text and empty objects are no errors.
 */
export function findError(body: Fields): unknown {
  const error = firstPresent(body.error)
  if (error !== undefined) return error
  const { choices } = body
  if ((choices ?? null) === null) return isErrorItself(body) ? body : undefined
  for (const choice of Array.isArray(choices) ? choices : [choices]) {
    if (!isObject(choice)) continue
    const choiceError = firstPresent(choice.error)
    if (choiceError !== undefined) return choiceError
    if (choice.finish_reason === 'error') return UNSPECIFIED
  }
  return undefined
}

/** Whether an object without choices is an error as servers and the proxies before them write it. */
function isErrorItself({ object, type, status, code, detail, message, id }: Fields): boolean {
  if (object === 'error' || type === 'error' || status === 'error') return true
  if (id !== undefined || type !== undefined) return false
  const isFailure = [status, code].some((value) => Number(value) >= 400 && Number(value) < 600)
  return isPresent(detail) || (isFailure && typeof message === 'string')
}

/** The error, or the first one of a list of errors. */
function firstPresent(error: unknown): unknown {
  if (Array.isArray(error)) return error.find(isPresent)
  return isPresent(error) ? error : undefined
}

function isPresent(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isPresent)
  if (isObject(value)) return Object.values(value).some(isPresent)
  return value !== undefined && value !== null && value !== '' && value !== false && value !== 0
}
