import type { Overview } from './wire.ts'

/**
 * How the application's own words are shown. Phases and risk levels are free text unless the operator has declared
 * them; a declared order is kept, otherwise the words that are in use are put in the order that people expect.
 */
export interface Vocabulary {
  readonly phases: readonly string[]
  readonly riskLevels: readonly string[]
  /** Which of the eight hues a phase is drawn in; 0 is the quiet one of the first phase. Always beside its name. */
  hueOf(phase: string): number
  /** How high a risk is: 0 is the lowest of `steps`, null when the word tells no order. */
  rankOf(riskLevel: string): number | null
  readonly steps: number
}

const HUES = 8
const USUAL_RISKS = ['none', 'minimal', 'low', 'moderate', 'medium', 'elevated', 'high', 'severe', 'critical']

export function vocabularyOf(overview: Overview | undefined): Vocabulary {
  const phases = inUse(overview?.vocabulary?.phases, overview?.phases, (a, b) =>
    a === 'dormant' ? -1 : b === 'dormant' ? 1 : a.localeCompare(b),
  )
  const declared = overview?.vocabulary?.riskLevels
  const riskLevels = inUse(declared, overview?.riskLevels, (a, b) => usualRank(a) - usualRank(b) || a.localeCompare(b))
  const ladder = declared ?? ['low', 'medium', 'high', 'critical']
  return {
    phases,
    riskLevels,
    hueOf(phase) {
      const place = phases.indexOf(phase)
      if (place === 0 || phase === 'dormant') return 0
      return 1 + ((place < 0 ? sumOf(phase) : place - 1) % (HUES - 1))
    },
    rankOf(riskLevel) {
      const place = ladder.indexOf(riskLevel)
      if (place >= 0) return place
      const usual = USUAL_RISKS.indexOf(riskLevel)
      if (declared || usual < 0) return null
      return usual <= 2 ? 0 : usual <= 5 ? 1 : usual === 6 ? 2 : 3
    },
    steps: ladder.length,
  }
}

function inUse(
  declared: readonly string[] | null | undefined,
  counts: Readonly<Record<string, number>> | undefined,
  order: (a: string, b: string) => number,
): readonly string[] {
  const others = Object.keys(counts ?? {}).filter((word) => !declared?.includes(word))
  return [...(declared ?? []), ...others.sort(order)]
}

/** A phase that nobody is in any more has no place in the order; its name alone chooses its hue. */
function sumOf(name: string): number {
  return [...name].reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), 0)
}

function usualRank(riskLevel: string): number {
  const rank = USUAL_RISKS.indexOf(riskLevel)
  return rank < 0 ? USUAL_RISKS.length : rank
}
