import type { ContextLimits } from './limits.ts'
import { sanitize, shorten } from './render/sanitize.ts'

export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain }

export interface Copied {
  readonly value: Plain
  /** About what it takes in memory. */
  readonly bytes: number
  /** Texts that were shortened. */
  readonly shortened: number
}

/**
 * A copy of whatever a source gave: plain data only, every text neutralised and shortened, all of it frozen, so that
 * nobody can change it later and nothing in it can do anything. Gives up (throws) as soon as it is too large or too
 * deep, before it has copied the rest.
 */
export function copyPlain(given: unknown, { maxSourceBytes, maxDepth, maxFieldCharacters }: ContextLimits): Copied {
  let bytes = 0
  let shortened = 0

  function take(size: number): void {
    bytes += size
    if (bytes > maxSourceBytes) throw new RangeError(`The source gave more than ${maxSourceBytes} bytes.`)
  }

  function copyText(text: string): string {
    take(text.length * 2)
    const clean = sanitize(text)
    if (clean.length <= maxFieldCharacters) return clean
    shortened += 1
    return shorten(clean, maxFieldCharacters)
  }

  function copy(value: unknown, depth: number): Plain | undefined {
    take(8)
    if (typeof value === 'string') return copyText(value)
    if (typeof value === 'number') return Number.isFinite(value) ? value : null
    if (typeof value === 'boolean' || value === null) return value
    if (typeof value === 'bigint') return String(value)
    if (typeof value !== 'object') return undefined
    if (depth >= maxDepth) throw new RangeError(`The source gave more than ${maxDepth} levels.`)
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
    if (Array.isArray(value)) return Object.freeze(Array.from(value, (item) => copy(item, depth + 1) ?? null))
    const fields: [string, Plain][] = []
    for (const name of Object.keys(value)) {
      const field = copy((value as Record<string, unknown>)[name], depth + 1)
      if (field !== undefined) fields.push([copyText(name), field])
    }
    return Object.freeze(Object.fromEntries(fields))
  }

  const value = copy(given, 0) ?? null
  return { value, bytes, shortened }
}
