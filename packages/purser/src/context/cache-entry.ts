import type { RenderContext } from '../options/context-section.ts'
import type { ContextLimits } from './limits.ts'
import type { Section, SectionData, SectionText } from './section.ts'

/** Loaded data of one section of one user, and how long it may be used. Instants are monotonic ms. */
export interface CacheEntry {
  readonly data: SectionData
  /** Epoch ms. */
  readonly loadedAt: number
  readonly freshUntil: number
  /** From then on a call starts a refresh, and does not wait for it. */
  readonly refreshFrom: number
  readonly staleUntil: number
  /** The epoch of its section when it was loaded. */
  readonly epoch: number
  /** Renderings by mode, budget and zone. */
  readonly texts: Map<string, SectionText>
}

export interface CacheEntryOptions {
  readonly ttlMs: number
  readonly maxStaleMs: number
  /** Epoch ms. */
  readonly now: number
  readonly monotonic: number
  /** A number from 0 to 1 that spreads the refreshes of data that was loaded together. */
  readonly jitter: number
  readonly epoch: number
}

/** Wall clocks differ between machines. Data with a later date than this from now does not count as fresh. */
const MAX_CLOCK_SKEW_MS = 60_000

export function createCacheEntry(data: SectionData, loadedAt: number, options: CacheEntryOptions): CacheEntry {
  const { ttlMs, maxStaleMs, now, monotonic, jitter, epoch } = options
  const ageMs = Math.max(0, now - loadedAt)
  const base = monotonic - (loadedAt > now + MAX_CLOCK_SKEW_MS ? ttlMs : ageMs)
  return {
    data,
    loadedAt: Math.min(loadedAt, now),
    freshUntil: base + ttlMs,
    refreshFrom: base + ttlMs * (0.7 + 0.2 * jitter),
    staleUntil: base + Math.max(ttlMs, maxStaleMs),
    epoch,
    texts: new Map(),
  }
}

/** The text of an entry, cached until time alone changes it. */
export function renderEntry(
  { render }: Section,
  entry: CacheEntry,
  context: Pick<RenderContext, 'mode' | 'now' | 'timeZone' | 'maxTokens'> & { readonly isFrozen: boolean },
  limits: ContextLimits,
): SectionText {
  const { mode, maxTokens, timeZone, now, isFrozen } = context
  const key = `${mode} ${maxTokens} ${timeZone}${isFrozen ? ` ${now}` : ''}`
  let text = entry.texts.get(key)
  if (text === undefined || context.now >= text.changesAt || context.now < text.renderedAt) {
    text = render(entry.data, context)
    if (entry.texts.size >= limits.maxRenderings) entry.texts.clear()
    entry.texts.set(key, text)
  }
  return text
}
