import type { Context, ContextSection } from './api.ts'

/** One section in the record of a turn. */
export interface SectionSummary {
  readonly section: string
  readonly status: ContextSection['status']
  /** Age of its data, ms; null if it is unavailable. */
  readonly ageMs: number | null
  readonly tokens: number
  readonly cut: number
}

/** What a turn's context was, without its text. `now`: epoch ms. */
export function summarizeSections({ sections }: Context, now: number): SectionSummary[] {
  return sections.map(({ name, status, loadedAt, tokens, cut }) => {
    const ageMs = loadedAt === null ? null : Math.max(0, now - Date.parse(loadedAt))
    return { section: name, status, ageMs, tokens, cut }
  })
}
