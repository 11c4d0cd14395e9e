/** What is left of a quota; `cap` 0 is unlimited. */
export interface Quota {
  readonly cap: number
  readonly remaining: number
  readonly resetAt: string | null
}

/**
 * The rate headers that OpenAI's clients know, with this user's own numbers. Without a limit there are none: the
 * headers have no word for "unlimited", and a made-up number would be read as true.
 */
export function rateLimitHeaders(quota: Quota, now: number): Record<string, string> {
  if (quota.cap <= 0 || quota.remaining < 0) return {}
  const headers: Record<string, string> = {
    'x-ratelimit-limit-requests': String(quota.cap),
    'x-ratelimit-remaining-requests': String(quota.remaining),
  }
  if (quota.resetAt !== null) headers['x-ratelimit-reset-requests'] = durationOf(Date.parse(quota.resetAt) - now)
  return headers
}

/** `6m0s`, `23h59m59s`, `1s`: as OpenAI writes durations, rounded up to seconds. */
export function durationOf(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  const tail = `${seconds % 60}s`
  if (hours > 0) return `${hours}h${minutes}m${tail}`
  return minutes > 0 ? `${minutes}m${tail}` : tail
}
