import type { Mode } from './api.ts'
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
export function cacheKeyOf({ name, isModeDependent }: SectionRuntime, mode: Mode): string {
  return isModeDependent ? `${name} ${mode}` : name
}

export function isCacheKeyOf(section: string, cacheKey: string): boolean {
  return cacheKey === section || cacheKey.startsWith(`${section} `)
}

/** Key under which callers share a load. User ids contain no line break. */
export function loadKeyOf({ isModeDependent }: SectionRuntime, userId: string, mode: Mode): string {
  return isModeDependent ? `${userId}\n${mode}` : userId
}

/** All keys under which loads of a user may run. */
export function loadKeysOf(userId: string): readonly string[] {
  return [userId, ...MODES.map((mode) => `${userId}\n${mode}`)]
}
