import { createHash, hash } from 'node:crypto'
import { PurserError } from '../errors.ts'
import { isRawNumber } from './exact-json.ts'
import { forEachPiece, isLargeJson, jsonPieces } from './json-pieces.ts'

/** Deeper than any request; the call stack allows ten times as many levels. */
const MAX_DEPTH = 512

/**
 * One text for one JSON value: object keys are sorted, there is no whitespace, and what `JSON.stringify` omits is omitted
 * (undefined members, functions). Values that are equal apart from key order give the same text.
 *
 * `onUnsupported` is called for values that JSON cannot represent without loss (NaN, a Map); it returns the text to write,
 * or throws. Default: the text of `JSON.stringify`. Throws `argument_invalid` beyond 512 levels.
 */
export function canonicalJson(value: unknown, onUnsupported: (value: unknown) => string = stringify): string {
  return write(value, onUnsupported, 0) ?? 'null'
}

/**
 * SHA-256 of `prefix` and the canonical text of a value, base64url. The text of a large value is hashed in steps, so
 * that other work of the process has its turn in between; the hash of any other is returned at once.
 */
export function hashCanonicalJson(
  value: unknown,
  prefix = '',
  onUnsupported: (value: unknown) => string = stringify,
): string | Promise<string> {
  if (!isLargeJson(value)) return hash('sha256', prefix + canonicalJson(value, onUnsupported), 'base64url')
  const digest = createHash('sha256').update(prefix)
  const pieces = jsonPieces(value, {
    namesOf: sortedKeys,
    writeOther: (other) => write(other, onUnsupported, 0),
    maxDepth: MAX_DEPTH,
    onTooDeep() {
      throw tooDeep()
    },
  })
  return forEachPiece(pieces, (bytes) => digest.update(bytes)).then(() => digest.digest('base64url'))
}

/** Twice as fast as `JSON.stringify` with a replacer: every cache lookup runs it. */
function write(value: unknown, onUnsupported: (value: unknown) => string, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      return Number.isFinite(value) ? `${value}` : onUnsupported(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, onUnsupported, depth)
    case 'undefined':
      return undefined
    default:
      return typeof value === 'bigint' ? onUnsupported(value) : undefined
  }
}

function writeObject(value: object, onUnsupported: (value: unknown) => string, depth: number): string | undefined {
  if (depth === MAX_DEPTH) throw tooDeep()
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') return write(toJSON.call(value), onUnsupported, depth)
  if (Array.isArray(value)) return writeArray(value, onUnsupported, depth)
  if (!isRecord(value)) return onUnsupported(value)
  if (isRawNumber(value)) return value.rawJSON
  const record = value as Record<string, unknown>
  let text = '{'
  for (const key of sortedKeys(record)) {
    const member = write(record[key], onUnsupported, depth + 1)
    if (member === undefined) continue
    text += text.length === 1 ? `${JSON.stringify(key)}:${member}` : `,${JSON.stringify(key)}:${member}`
  }
  return `${text}}`
}

/** `sort` allocates, more than everything else here; an object has few members, and most of them are in order. */
const MAX_INSERTED = 32

/** The names of the members in the order of `sort`. */
function sortedKeys(object: object): string[] {
  const keys = Object.keys(object)
  if (keys.length > MAX_INSERTED) return keys.sort()
  for (let index = 1; index < keys.length; index++) {
    const key = keys[index] as string
    let at = index
    for (; at > 0 && (keys[at - 1] as string) > key; at--) keys[at] = keys[at - 1] as string
    keys[at] = key
  }
  return keys
}

function writeArray(value: readonly unknown[], onUnsupported: (value: unknown) => string, depth: number): string {
  let text = '['
  for (let index = 0; index < value.length; index++) {
    const member = write(value[index], onUnsupported, depth + 1) ?? 'null'
    text += index === 0 ? member : `,${member}`
  }
  return `${text}]`
}

function tooDeep(): PurserError {
  return new PurserError('argument_invalid', `The value is nested more than ${MAX_DEPTH} levels deep.`, {
    hint: 'Reduce the nesting, or pass the value as text.',
  })
}

/** False for objects with internal state, such as a Map: their own members are not all of their data. */
function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === Object.prototype || prototype === null || Object.prototype.toString.call(value) === '[object Object]'
  )
}

function stringify(value: unknown): string {
  return JSON.stringify(value) ?? 'null'
}
