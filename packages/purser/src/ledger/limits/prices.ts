import { validateFields } from '../../core/validate.ts'
import type { ModelPrice } from '../../options.ts'
import { type Amount, add, toAmount } from './amount.ts'
import { compileGlobs } from './glob.ts'
import { parseMoney } from './money.ts'

/** What one call of a model has used. Input tokens are all of them, cached and written ones included. */
export interface TokenUse {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens?: number
  readonly cacheWriteTokens?: number
}

/** The cost of model calls. Prices are looked up by `provider/model`. */
export interface Prices {
  /** Nano-units, rounded to the nearest one; null when the model has no price. */
  costOf(model: string | null, use: TokenUse): Amount | null
}

/** Nano-units, per million tokens and per request. */
interface Price {
  readonly input: Amount
  readonly output: Amount
  readonly cachedInput: Amount
  readonly cacheWrite: Amount
  readonly request: Amount
}

const FIELDS = ['input', 'output', 'cachedInput', 'cacheWrite', 'request']
const MILLION = 1_000_000
/** Looked-up models; the cache is cleared when it is full. */
const MAX_CACHED_MODELS = 256

/**
 * Compiles a price list: an exact name comes first, then the globs in their order.
 * Throws `option_invalid` with the path of the price.
 */
export function createPrices(list: Readonly<Record<string, ModelPrice>>): Prices {
  const exact = new Map<string, Price>()
  const globs: { matches(model: string): boolean; price: Price }[] = []
  for (const [name, value] of Object.entries(list)) {
    const price = parsePrice(value, `prices['${name}']`)
    if (name.includes('*')) globs.push({ matches: compileGlobs([name]), price })
    else exact.set(name, price)
  }
  const cached = new Map<string, Price | undefined>()

  function find(model: string): Price | undefined {
    if (cached.has(model)) return cached.get(model)
    const price = exact.get(model) ?? globs.find((glob) => glob.matches(model))?.price
    if (cached.size >= MAX_CACHED_MODELS) cached.clear()
    cached.set(model, price)
    return price
  }

  return {
    costOf(model, use) {
      const price = model === null ? undefined : find(model)
      return price === undefined ? null : costAt(price, use)
    },
  }
}

function parsePrice(value: unknown, path: string): Price {
  const code = 'option_invalid'
  validateFields(value, FIELDS, { name: path, code })
  const price = value as Partial<Record<keyof Price, unknown>>
  const amount = (field: keyof Price, byDefault?: Amount): Amount =>
    price[field] === undefined && byDefault !== undefined
      ? byDefault
      : parseMoney(price[field], { name: `${path}.${field}`, code })
  const input = amount('input')
  return {
    input,
    output: amount('output'),
    cachedInput: amount('cachedInput', input),
    cacheWrite: amount('cacheWrite', input),
    request: amount('request', 0),
  }
}

/** Divided once, so that a sum of parts is not rounded part by part. */
function costAt(price: Price, use: TokenUse): Amount {
  const { inputTokens, outputTokens, cachedTokens = 0, cacheWriteTokens = 0 } = use
  const cached = Math.min(cachedTokens, inputTokens)
  const written = Math.min(cacheWriteTokens, inputTokens - cached)
  const counts: Counts = [inputTokens - cached - written, cached, written, outputTokens]
  const perMillion = multiply(price, counts)
  if (perMillion === undefined) return bigCostAt(price, counts)
  const rounded = perMillion + MILLION / 2
  return add(price.request, (rounded - (rounded % MILLION)) / MILLION)
}

type Counts = readonly [input: number, cached: number, written: number, output: number]

/** In nano-units per million; undefined where numbers are not exact. */
function multiply(price: Price, [uncached, cached, written, outputTokens]: Counts): number | undefined {
  const { input, cachedInput, cacheWrite, output } = price
  if (typeof input === 'string' || typeof output === 'string') return undefined
  if (typeof cachedInput === 'string' || typeof cacheWrite === 'string') return undefined
  const sum = uncached * input + cached * cachedInput + written * cacheWrite + outputTokens * output
  // No term is negative, so a sum below has only exact terms.
  return sum <= Number.MAX_SAFE_INTEGER - MILLION ? sum : undefined
}

function bigCostAt(price: Price, [uncached, cached, written, outputTokens]: Counts): Amount {
  const perMillion =
    BigInt(uncached) * BigInt(price.input) +
    BigInt(cached) * BigInt(price.cachedInput) +
    BigInt(written) * BigInt(price.cacheWrite) +
    BigInt(outputTokens) * BigInt(price.output)
  const million = BigInt(MILLION)
  return toAmount(BigInt(price.request) + (perMillion + million / 2n) / million)
}
