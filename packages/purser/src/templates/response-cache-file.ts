/** The file format of the first application's response cache: a JSON object of entries by the SHA-256 of their request. */
export const RESPONSE_CACHE_FILE = 'ai_responses.json'

/** The name of a member, a quote in front, up to the brace that opens its entry. */
export const MEMBER_PATTERN: RegExp = /"([0-9a-f]{64})"\s*:\s*\{/g

export const KEY_PATTERN: RegExp = /^[0-9a-f]{64}$/

export interface ResponseCacheEntry {
  readonly response: string
  /** Epoch seconds. */
  readonly created_at?: unknown
  /** Epoch seconds. */
  readonly last_accessed?: unknown
  /** In code points. */
  readonly text_length?: unknown
}

export function isResponseCacheEntry(entry: unknown): entry is ResponseCacheEntry {
  return typeof entry === 'object' && entry !== null && typeof (entry as ResponseCacheEntry).response === 'string'
}
