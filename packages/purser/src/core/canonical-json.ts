import { PurserError } from '../errors.ts'

/** Deeper than any request; the stack holds ten times as much. */
const MAX_DEPTH = 512

/**
 * One text for one JSON value: object keys in one order, no spaces, and what JSON leaves out is left out (undefined
 * members, functions). Equal values in any key order give the same text.
 *
 * `foreign` is called for what JSON cannot tell apart (NaN is null, a Map is an empty object); by default JSON's own
 * answer is taken. It returns the text to write, or throws. Throws `argument_invalid` beyond 512 levels.
 */
export function canonicalJson(value: unknown, foreign: (value: unknown) => string = jsonOf): string {
  return write(value, foreign, 0) ?? 'null'
}

/** Written by hand because it is on the path of every look-up: half the time of `JSON.stringify` with a replacer. */
function write(value: unknown, foreign: (value: unknown) => string, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      return Number.isFinite(value) ? JSON.stringify(value) : foreign(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, foreign, depth)
    case 'undefined':
      return undefined
    default:
      return typeof value === 'bigint' ? foreign(value) : undefined
  }
}

function writeObject(value: object, foreign: (value: unknown) => string, depth: number): string | undefined {
  if (depth === MAX_DEPTH) throw tooDeep()
  const given = value as { toJSON?: unknown }
  if (typeof given.toJSON === 'function') return write(given.toJSON(), foreign, depth)
  if (Array.isArray(value)) return writeArray(value, foreign, depth)
  if (!isRecord(value)) return foreign(value)
  const record = value as Record<string, unknown>
  let text = '{'
  for (const key of Object.keys(record).sort()) {
    const member = write(record[key], foreign, depth + 1)
    if (member === undefined) continue
    text += text.length === 1 ? `${JSON.stringify(key)}:${member}` : `,${JSON.stringify(key)}:${member}`
  }
  return `${text}}`
}

function writeArray(value: readonly unknown[], foreign: (value: unknown) => string, depth: number): string {
  let text = '['
  for (let index = 0; index < value.length; index++) {
    const member = write(value[index], foreign, depth + 1) ?? 'null'
    text += index === 0 ? member : `,${member}`
  }
  return `${text}]`
}

function tooDeep(): PurserError {
  return new PurserError('argument_invalid', `This is nested more than ${MAX_DEPTH} levels deep.`, {
    hint: 'Send it flatter, or as text.',
  })
}

/** An object whose own members are all it is. */
function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === Object.prototype || prototype === null || Object.prototype.toString.call(value) === '[object Object]'
  )
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value) ?? 'null'
}
