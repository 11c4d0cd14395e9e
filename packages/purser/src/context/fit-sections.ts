import { toTokens, WEIGHT_PER_TOKEN, weigh } from './render/token-weight.ts'

/** One section of a context that may be too large. */
export interface FittableSection {
  readonly priority: number
  /** With its own limits only. */
  readonly text: string
  readonly weight: number
  readonly cut: number
  /** The text within this many tokens; empty if nothing of it fits. */
  shrink(maxTokens: number): { readonly text: string; readonly weight: number; readonly cut: number }
}

export interface FittedSection {
  readonly text: string
  readonly weight: number
  readonly cut: number
}

/** Weight of what separates two paragraphs. */
const SEPARATOR_WEIGHT = weigh('\n\n')

/**
 * Fits sections into a budget of tokens. They are considered from the highest priority to the lowest: the first one that
 * does not fit is shrunk, and those after it are omitted. So a larger budget keeps everything that a smaller one kept.
 */
export function fitSections<Section extends FittableSection>(
  sections: readonly Section[],
  { maxTokens, fixedText }: { readonly maxTokens: number; readonly fixedText: string },
): Map<Section, FittedSection> {
  const fitted = new Map<Section, FittedSection>()
  let available = maxTokens * WEIGHT_PER_TOKEN - weigh(fixedText)
  let isFull = false
  for (const section of sections.toSorted((a, b) => b.priority - a.priority)) {
    const remaining = available - SEPARATOR_WEIGHT
    let result: FittedSection = section
    if (section.weight > 0 && (isFull || section.weight > remaining)) {
      const shrunk = isFull || remaining <= 0 ? OMITTED : section.shrink(Math.floor(remaining / WEIGHT_PER_TOKEN))
      result = shrunk.weight > remaining || shrunk.text === '' ? { ...OMITTED, cut: Math.max(1, shrunk.cut) } : shrunk
      isFull = true
    }
    if (result.weight > 0) available -= result.weight + SEPARATOR_WEIGHT
    fitted.set(section, result)
  }
  return fitted
}

const OMITTED: FittedSection = { text: '', weight: 0, cut: 1 }

/** Whether all sections fit as they are. */
export function fitAll(sections: readonly FittableSection[], maxTokens: number, fixedText: string): boolean {
  let weight = weigh(fixedText)
  for (const section of sections) if (section.weight > 0) weight += section.weight + SEPARATOR_WEIGHT
  return toTokens(weight) <= maxTokens
}
