import type { ContextSection, ExplainedReason, ExplainedSection, Explanation } from './api.ts'
import type { AssembledContext, SectionResult } from './assemble.ts'
import type { PastContext } from './history.ts'

/** The receipt of a context: for each section where it came from, and why it is as it is. `now`: epoch ms. */
export function explain(
  { context, cutByBudget }: AssembledContext,
  results: readonly SectionResult[],
  {
    previous,
    enabled,
    now,
  }: { readonly previous: PastContext | undefined; readonly enabled: boolean | null; readonly now: number },
): Explanation {
  const before = new Map(previous?.context.sections.map((section) => [section.name, section]))
  const at = previous === undefined ? '' : new Date(previous.at).toISOString()
  const sections = context.sections.map((section, index): ExplainedSection => {
    const result = results[index] as SectionResult
    const past = before.get(section.name)
    return {
      ...section,
      source: result.section.source.kind,
      ageMs: section.loadedAt === null ? null : Math.max(0, now - Date.parse(section.loadedAt)),
      kept: section.text !== '',
      reason: reasonOf(section, result, cutByBudget.has(section.name)),
      previous: past === undefined ? null : { at, status: past.status, tokens: past.tokens, text: past.text },
    }
  })
  const { text = '', prefixHash = '' } = previous?.context ?? {}
  return { ...context, sections, enabled, previous: previous === undefined ? null : { at, text, prefixHash } }
}

function reasonOf(
  { status, reason, cut }: ContextSection,
  { frozenAt, isSkipped }: SectionResult,
  isCutByBudget: boolean,
): ExplainedReason {
  if (isCutByBudget) return 'token_budget'
  if (reason !== null) return reason
  if (status === 'empty') return isSkipped ? 'no_query' : 'empty'
  if (cut > 0) return 'own_limit'
  return frozenAt === undefined ? 'complete' : 'frozen'
}
