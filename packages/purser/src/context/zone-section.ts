import type { Subject } from '../core/subject.ts'
import type { ContextOptions } from '../options.ts'
import type { ContextLimits } from './limits.ts'
import { createSection, type Section } from './section.ts'

/**
 * A user's own time zone, loaded and kept like a section that is never told. Its name begins with a sign that no
 * configured section's can, so the two cannot meet.
 */
export function zoneSection(
  timeZoneOf: (user: Subject) => Promise<string | null>,
  { ttlMs, maxStaleMs }: ContextOptions,
  limits: ContextLimits,
): Section {
  return createSection({
    name: '@timeZone',
    supply: { builtIn: true, call: timeZoneOf, close: async () => undefined },
    ttlMs,
    maxStaleMs,
    maxBytes: 0,
    maxItems: 0,
    render: () => '',
    ignores: () => false,
    limits,
  })
}
