import { PurserError, suggestion } from '../errors.ts'
import type { Mode } from './api.ts'

/** Checks of what callers pass: everything wrong is `argument_invalid`, with the argument and the mend. */

export function refuse(message: string, param: string, hint?: string): never {
  throw new PurserError('argument_invalid', message, { hint, details: { param } })
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Refuses fields that do not exist, naming the one that was probably meant. */
export function onlyKnown(given: unknown, known: readonly string[], what: string): void {
  if (!isObject(given)) refuse(`${what} must be an object.`, what, `Known here: ${known.join(', ')}.`)
  for (const field in given) {
    if (known.includes(field)) continue
    const name = field.slice(0, 64)
    refuse(`There is no '${name}' in ${what}.`, name, suggestion(name, known) || `Known here: ${known.join(', ')}.`)
  }
}

export function duration(value: unknown, name: string): number {
  if (typeof value === 'number' && value >= 0) return value
  return refuse(`${name} must be a number of milliseconds, 0 or more.`, name, 'Leave it out for the usual one.')
}

export function modeOf(value: unknown): Mode {
  if (value === undefined || value === 'reuse') return 'reuse'
  return value === 'create'
    ? value
    : refuse("mode must be 'reuse' or 'create'.", 'mode', "'create' is for making something new, 'reuse' for going on.")
}
