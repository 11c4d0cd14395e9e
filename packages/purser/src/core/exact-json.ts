/** A number that a JavaScript number cannot hold, as the text that `JSON.stringify` writes for it. */
export interface RawNumber {
  readonly rawJSON: string
}

/** What JavaScript has of the "JSON.parse source text access" proposal and the compiler's library does not declare. */
interface ExactJson {
  parse(text: string, revive: (name: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): RawNumber
  isRawJSON(value: unknown): value is RawNumber
}

const exactJson = JSON as unknown as ExactJson

/** Fewer digits are always exact; more may be the digits of a text, for which `JSON.parse` with a reviver is only slower. */
const MANY_DIGITS = /\d{16}|\d[eE]\+?\d{3}/
const INTEGER = /^-?\d+$/

/**
 * Parses JSON; integers beyond 2^53 and numbers beyond the range of JavaScript become a `RawNumber`, so that
 * `JSON.stringify` writes them unchanged. Throws `SyntaxError` like `JSON.parse`.
 */
export function parseExactJson(text: string): unknown {
  if (!MANY_DIGITS.test(text)) return JSON.parse(text)
  try {
    return exactJson.parse(text, keepNumber)
  } catch (error) {
    // A reviver runs recursively, which the nesting of the value may forbid.
    if (error instanceof RangeError) return JSON.parse(text)
    throw error
  }
}

export function isRawNumber(value: unknown): value is RawNumber {
  return exactJson.isRawJSON(value)
}

function keepNumber(_name: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || source === undefined) return value
  const isExact = Number.isFinite(value) && (Number.isSafeInteger(value) || !INTEGER.test(source))
  return isExact ? value : exactJson.rawJSON(source)
}
