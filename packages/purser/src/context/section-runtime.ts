import type { Mode } from './api.ts'
import type { CacheEntry } from './cache-entry.ts'
import type { LoadScheduler } from './load-scheduler.ts'
import type { Section } from './section.ts'

/** A section with its flights. */
export interface SectionRuntime {
  readonly section: Section
  readonly flights: LoadScheduler<CacheEntry>
  /**
   * The source has looked at the mode, so data of one mode is not data of the other. Known from its first load on;
   * until then both modes share flights and data, as they do for all other sources.
   */
  modal: boolean
  /** Data that was loaded in another epoch is as good as none. Ends when anybody's data may have changed. */
  epoch: number
}

/** Where data of a section is held within a user. A section's name has no blank. */
export function cacheKeyOf({ section, modal }: SectionRuntime, mode: Mode): string {
  return modal ? `${section.name} ${mode}` : section.name
}

/** What callers of one load share. An id has no line break. */
export function keyOf({ modal }: SectionRuntime, userId: string, mode: Mode): string {
  return modal ? `${userId}\n${mode}` : userId
}

export function isCacheKeyOf(section: string, piece: string): boolean {
  return piece === section || piece.startsWith(`${section} `)
}
