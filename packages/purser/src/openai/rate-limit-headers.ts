/** What is left of a cap; `cap` 0 is unlimited. */
export interface Quota {
  readonly cap: number
  readonly remaining: number
  /** ISO 8601, UTC. */
  readonly resetAt: string | null
  /** The limit that refuses, of a refused admission. */
  readonly limit?: (Pick<RatedLimit, 'measure' | 'max' | 'resetAt'> & { readonly used: number | string }) | undefined
}

/** A limit, as far as the headers show it. */
export interface RatedLimit {
  readonly measure: string
  readonly mode: 'enforce' | 'observe'
  readonly max: number | string | null
  readonly remaining: number | string | null
  readonly resetAt: string | null
}

interface Rate {
  readonly max: number
  readonly remaining: number
  readonly resetAt: string | null
}

interface HeaderNames {
  readonly limit: string
  readonly remaining: string
  readonly reset: string
}

const REQUESTS: HeaderNames = {
  limit: 'x-ratelimit-limit-requests',
  remaining: 'x-ratelimit-remaining-requests',
  reset: 'x-ratelimit-reset-requests',
}
const TOKENS: HeaderNames = {
  limit: 'x-ratelimit-limit-tokens',
  remaining: 'x-ratelimit-remaining-tokens',
  reset: 'x-ratelimit-reset-tokens',
}

const TOKEN_MEASURES = ['tokens', 'inputTokens', 'outputTokens']
const NO_LIMITS: readonly never[] = []

/**
 * OpenAI's rate limit headers: `x-ratelimit-limit-…`, `-remaining-…` and `-reset-…`, each for `requests` and `tokens`, of
 * the limit of which least remains.
 *
 * @param now epoch ms
 * @param limits those that count the turn; without them `requests` is the quota
 * @returns no headers without a limit: the format has no value for "unlimited", and clients would believe any number
 */
export function rateLimitHeaders(quota: Quota, now: number, limits?: readonly RatedLimit[]): Record<string, string> {
  const { cap, remaining, resetAt } = quota
  const isCapped = remaining >= 0 && (cap > 0 || limits !== undefined)
  const requests = tightest(quota, limits, isRequests, isCapped ? { max: cap, remaining, resetAt } : undefined)
  const headers: Record<string, string> = {}
  if (requests !== undefined) addHeaders(headers, REQUESTS, requests, now)
  const tokens = tightest(quota, limits, isTokens)
  if (tokens !== undefined) addHeaders(headers, TOKENS, tokens, now)
  return headers
}

const isRequests = (measure: string): boolean => measure === 'turns'
const isTokens = (measure: string): boolean => TOKEN_MEASURES.includes(measure)

/** The rate of which least remains, of these limits and `first`. */
function tightest(
  { limit }: Quota,
  limits: readonly RatedLimit[] | undefined,
  isShown: (measure: string) => boolean,
  first?: Rate,
): Rate | undefined {
  let least = first
  if (limit !== undefined && isShown(limit.measure)) {
    least = lesser(least, toRate(limit, Number(limit.max) - Number(limit.used)))
  }
  for (const other of limits ?? NO_LIMITS) {
    const { measure, mode, max } = other
    if (mode === 'enforce' && max !== null && isShown(measure))
      least = lesser(least, toRate(other, Number(other.remaining)))
  }
  return least
}

function lesser(one: Rate | undefined, other: Rate): Rate {
  return one === undefined || other.remaining < one.remaining ? other : one
}

function toRate({ max, resetAt }: Pick<RatedLimit, 'max' | 'resetAt'>, remaining: number): Rate {
  return { max: Number(max), remaining: Math.max(0, remaining), resetAt }
}

function addHeaders(
  headers: Record<string, string>,
  names: HeaderNames,
  { max, remaining, resetAt }: Rate,
  now: number,
): void {
  headers[names.limit] = String(max)
  headers[names.remaining] = String(remaining)
  if (resetAt !== null) headers[names.reset] = formatDuration(Date.parse(resetAt) - now)
}

/** `6m0s`, `23h59m59s`, `1s`: OpenAI's format of durations, rounded up to seconds. */
export function formatDuration(ms: number): string {
  const totalSeconds = Math.max(0, Math.ceil(ms / 1000))
  const hours = Math.floor(totalSeconds / 3600)
  const minutes = Math.floor(totalSeconds / 60) % 60
  const seconds = `${totalSeconds % 60}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}
