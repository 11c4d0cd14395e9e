import type { Mode } from '../options/context-section.ts'
import type { CacheEntry } from './cache-entry.ts'
import type { LoadScheduler } from './load-scheduler.ts'
import { MODES } from './modes.ts'
import type { Section } from './section.ts'

/** A section with its loads. */
export interface SectionRuntime extends Section {
  readonly loads: LoadScheduler<CacheEntry>
  /**
   * The source reads the mode, so each mode has its own data. Known from the first load on; until then both modes share
   * loads and data, as they do for all other sources.
   */
  isModeDependent: boolean
  /** Data of an earlier epoch is not used. A new epoch starts when the data of any user may have changed. */
  epoch: number
}

/** Key of a section's data within a user. Names of sections contain no space. */
export function cacheKeyOf(
  { name, isModeDependent, needsQuery }: SectionRuntime,
  { mode, query }: { readonly mode: Mode; readonly query?: string | undefined },
): string {
  const key = isModeDependent ? `${name} ${mode}` : name
  return needsQuery ? `${key}${QUERY_MARK}${query}` : key
}

/** In a cache key, in front of the query that its data belongs to. */
export const QUERY_MARK = ' ?'

export function isCacheKeyOf(section: string, cacheKey: string): boolean {
  return cacheKey === section || cacheKey.startsWith(`${section} `)
}

/**
 * The key under which callers share a load, and the one under which failures are remembered: those of one query delay
 * the next one too. User ids contain no line break.
 */
export function loadKeysFor(
  { isModeDependent, needsQuery }: SectionRuntime,
  userId: string,
  { mode, query }: { readonly mode: Mode; readonly query: string | undefined },
): { readonly key: string; readonly backoffKey: string } {
  const backoffKey = isModeDependent ? `${userId}\n${mode}` : userId
  return { key: needsQuery ? `${backoffKey}\n?${query}` : backoffKey, backoffKey }
}

/** All keys under which loads of a user may run. */
export function loadKeysOf(userId: string): readonly string[] {
  return [userId, ...MODES.map((mode) => `${userId}\n${mode}`)]
}
