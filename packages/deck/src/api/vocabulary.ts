import type { Overview } from './wire.ts'

/**
 * Order and colors of the application's own phases and risk levels. Both are free text unless the operator has
 * declared them. A declared order is used as it is; otherwise the values in use are sorted by their usual order.
 */
export interface Vocabulary {
  readonly phases: readonly string[]
  readonly riskLevels: readonly string[]
  /** Index of the hue of a phase, 0 to 7; 0 is the neutral hue of the first phase. Always shown beside the name. */
  hueOf(phase: string): number
  /** Rank of a risk level, 0 to `steps - 1`; null when its order is unknown. */
  rankOf(riskLevel: string): number | null
  /** Number of ranks. */
  readonly steps: number
  /** What may be chosen: with `isDeclared` only these values. */
  readonly phaseChoice: Choice
  readonly riskChoice: Choice
}

export interface Choice {
  readonly values: readonly string[]
  readonly isDeclared: boolean
}

const HUES = 8
const USUAL_RISK_LEVELS = ['none', 'minimal', 'low', 'moderate', 'medium', 'elevated', 'high', 'severe', 'critical']

export function buildVocabulary(overview: Overview | undefined): Vocabulary {
  const phases = listValues(overview?.vocabulary.phases, overview?.phases, (a, b) =>
    a === 'dormant' ? -1 : b === 'dormant' ? 1 : a.localeCompare(b),
  )
  const declared = overview?.vocabulary.riskLevels
  const riskLevels = listValues(
    declared,
    overview?.riskLevels,
    (a, b) => usualRank(a) - usualRank(b) || a.localeCompare(b),
  )
  const ranked = declared ?? ['low', 'medium', 'high', 'critical']
  return {
    phases,
    riskLevels,
    hueOf(phase) {
      const index = phases.indexOf(phase)
      if (index === 0 || phase === 'dormant') return 0
      return 1 + ((index < 0 ? hashOf(phase) : index - 1) % (HUES - 1))
    },
    rankOf(riskLevel) {
      const index = ranked.indexOf(riskLevel)
      if (index >= 0) return index
      const usual = USUAL_RISK_LEVELS.indexOf(riskLevel)
      if (declared || usual < 0) return null
      return usual <= 2 ? 0 : usual <= 5 ? 1 : usual === 6 ? 2 : 3
    },
    steps: ranked.length,
    phaseChoice: choiceOf(overview?.vocabulary.phases, phases),
    riskChoice: choiceOf(declared, riskLevels),
  }
}

function choiceOf(declared: readonly string[] | null | undefined, known: readonly string[]): Choice {
  return declared ? { values: declared, isDeclared: true } : { values: known, isDeclared: false }
}

/** The declared values in their order, then the undeclared ones in use. */
function listValues(
  declared: readonly string[] | null | undefined,
  counts: Readonly<Record<string, number>> | undefined,
  compare: (a: string, b: string) => number,
): readonly string[] {
  const undeclared = Object.keys(counts ?? {}).filter((value) => !declared?.includes(value))
  return [...(declared ?? []), ...undeclared.sort(compare)]
}

/** Chooses the hue of a phase that is not listed because no user is in it. */
function hashOf(name: string): number {
  return [...name].reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), 0)
}

function usualRank(riskLevel: string): number {
  const rank = USUAL_RISK_LEVELS.indexOf(riskLevel)
  return rank < 0 ? USUAL_RISK_LEVELS.length : rank
}
