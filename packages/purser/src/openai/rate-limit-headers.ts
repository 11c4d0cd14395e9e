/** What is left of a cap; `cap` 0 is unlimited. */
export interface Quota {
  readonly cap: number
  readonly remaining: number
  /** ISO 8601, UTC. */
  readonly resetAt: string | null
}

/**
 * OpenAI's rate limit headers with this user's quota: `x-ratelimit-limit-requests`, `-remaining-requests` and
 * `-reset-requests`.
 *
 * @param now epoch ms
 * @returns no headers without a cap: the format has no value for "unlimited", and clients would believe any number
 */
export function rateLimitHeaders(quota: Quota, now: number): Record<string, string> {
  if (quota.cap <= 0 || quota.remaining < 0) return {}
  const headers: Record<string, string> = {
    'x-ratelimit-limit-requests': String(quota.cap),
    'x-ratelimit-remaining-requests': String(quota.remaining),
  }
  if (quota.resetAt !== null) headers['x-ratelimit-reset-requests'] = formatDuration(Date.parse(quota.resetAt) - now)
  return headers
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
