import type { ContextLimits } from './limits.ts'
import { sanitize, shorten } from './render/sanitize.ts'

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue }

export interface CopiedData {
  readonly value: JsonValue
  /** Approximate size in memory. */
  readonly bytes: number
  /** Texts that were shortened. */
  readonly shortened: number
}

/**
 * Copies what a source returned: JSON values only, every text sanitized and shortened, all of it frozen, so that the
 * source cannot change it later and no code of its objects can run. Throws a `RangeError` as soon as it is too large or
 * too deep, before the rest is copied.
 */
export function copyData(data: unknown, limits: ContextLimits): CopiedData {
  const copy: Copy = { limits, bytes: 0, shortened: 0 }
  const value = copyValue(copy, data, 0) ?? null
  return { value, bytes: copy.bytes, shortened: copy.shortened }
}

/** State of one copy. */
interface Copy {
  readonly limits: ContextLimits
  bytes: number
  shortened: number
}

/** Undefined for what has no JSON form. */
function copyValue(copy: Copy, value: unknown, depth: number): JsonValue | undefined {
  countBytes(copy, 8)
  switch (typeof value) {
    case 'string':
      return copyText(copy, value)
    case 'number':
      return Number.isFinite(value) ? value : null
    case 'boolean':
      return value
    case 'bigint':
      return String(value)
    case 'object':
      return value === null ? null : copyObject(copy, value, depth)
    default:
      return undefined
  }
}

function copyObject(copy: Copy, value: object, depth: number): JsonValue {
  const { maxSourceDepth } = copy.limits
  if (depth >= maxSourceDepth) throw new RangeError(`The source returned more than ${maxSourceDepth} levels.`)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (Array.isArray(value))
    return Object.freeze(Array.from(value, (item: unknown) => copyValue(copy, item, depth + 1) ?? null))
  const fields: [string, JsonValue][] = []
  for (const name of Object.keys(value)) {
    const field = copyValue(copy, (value as Record<string, unknown>)[name], depth + 1)
    const clean = copyText(copy, name)
    // A name with hidden characters must not replace the field that it looks like.
    if (field !== undefined && (clean === name || !Object.hasOwn(value, clean))) fields.push([clean, field])
  }
  return Object.freeze(Object.fromEntries(fields))
}

function copyText(copy: Copy, text: string): string {
  const { maxFieldCharacters } = copy.limits
  countBytes(copy, text.length * 2)
  const clean = sanitize(text)
  if (clean.length <= maxFieldCharacters) return clean
  copy.shortened += 1
  return shorten(clean, maxFieldCharacters)
}

function countBytes(copy: Copy, bytes: number): void {
  const { maxSourceBytes } = copy.limits
  copy.bytes += bytes
  if (copy.bytes > maxSourceBytes) throw new RangeError(`The source returned more than ${maxSourceBytes} bytes.`)
}
