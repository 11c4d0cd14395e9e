import type { RenderContext } from './api.ts'
import type { Plain } from './copy-data.ts'
import type { ContextLimits } from './limits.ts'
import type { Section, SectionText } from './section.ts'

/** What a source gave, as sections keep it. */
export interface SectionData {
  readonly value: Plain
  readonly empty: boolean
  /** About what it takes in memory. */
  readonly bytes: number
  /** Texts in it that were shortened. */
  readonly shortened: number
}

/** Loaded data of one section of one user, and until when it is good for what. Instants are monotonic ms. */
export interface CacheEntry {
  readonly data: SectionData
  /** Epoch ms. */
  readonly loadedAt: number
  readonly freshUntil: number
  /** From here on a caller sets a refresh off, and does not wait for it. */
  readonly refreshFrom: number
  readonly staleUntil: number
  /** Of its lane, when it was loaded. */
  readonly epoch: number
  /** Renderings by mode and zone. */
  readonly texts: Map<string, SectionText>
}

export interface HoldPlan {
  readonly ttlMs: number
  readonly maxStaleMs: number
  readonly now: number
  readonly monotonic: number
  /** 0 to 1; spreads the refreshes of data that was loaded together. */
  readonly chance: number
  readonly epoch: number
}

/** A wall clock may be wrong; data that seems to come from the future is not taken for fresh. */
const MAX_SKEW_MS = 60_000

export function hold(data: SectionData, loadedAt: number, plan: HoldPlan): CacheEntry {
  const { ttlMs, maxStaleMs, now, monotonic, chance, epoch } = plan
  const ageMs = Math.max(0, now - loadedAt)
  const base = monotonic - (loadedAt > now + MAX_SKEW_MS ? ttlMs : ageMs)
  return {
    data,
    loadedAt: Math.min(loadedAt, now),
    freshUntil: base + ttlMs,
    refreshFrom: base + ttlMs * (0.7 + 0.2 * chance),
    staleUntil: base + Math.max(ttlMs, maxStaleMs),
    epoch,
    texts: new Map(),
  }
}

/** The text of a section, rendered again only when the instant makes another one of it. */
export function textOf(
  section: Section,
  held: CacheEntry,
  scene: Pick<RenderContext, 'mode' | 'now' | 'timeZone'>,
  limits: ContextLimits,
): SectionText {
  const key = `${scene.mode} ${scene.timeZone}`
  let text = held.texts.get(key)
  if (text === undefined || scene.now >= text.changesAt || scene.now < text.renderedAt) {
    text = section.render(held.data, scene)
    if (held.texts.size >= limits.maxViews) held.texts.clear()
    held.texts.set(key, text)
  }
  return text
}
