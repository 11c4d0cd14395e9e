import './tags.css'
import type { ReactElement } from 'react'
import type { Vocabulary } from '../api/vocabulary.ts'

/** Name of a phase, with a dot in its hue. */
export function PhaseTag({ phase, vocabulary }: { phase: string; vocabulary: Vocabulary }): ReactElement {
  return (
    <span className="tag" data-hue={vocabulary.hueOf(phase)}>
      <span className="tag__dot" aria-hidden="true" />
      <span className="tag__text">{phase}</span>
    </span>
  )
}

/** Name of a risk level, with as many filled bars as its rank, so that the color is never the only sign. */
export function RiskTag({ level, vocabulary }: { level: string; vocabulary: Vocabulary }): ReactElement {
  return (
    <span className="tag tag--risk" data-heat={heatOf(level, vocabulary)}>
      <RiskBars rank={vocabulary.rankOf(level)} steps={vocabulary.steps} />
      <span className="tag__text">{level}</span>
    </span>
  )
}

export function BlockedTag(): ReactElement {
  return <span className="blocked-tag">Blocked</span>
}

/** Color of a risk level: 0 to 3, whatever the number of levels; -1 when its order is unknown. */
export function heatOf(level: string, vocabulary: Vocabulary): number {
  const rank = vocabulary.rankOf(level)
  if (rank === null) return -1
  if (rank === 0 || vocabulary.steps < 2) return 0
  return Math.max(1, Math.round((rank / (vocabulary.steps - 1)) * 3))
}

function RiskBars({ rank, steps }: { rank: number | null; steps: number }): ReactElement {
  const count = Math.min(steps, 5)
  return (
    <svg className="tag__bars" viewBox={`0 0 ${count * 4} 12`} width={count * 4} height="12" aria-hidden="true">
      {Array.from({ length: count }, (_, bar) => {
        const height = 4 + (bar * 8) / Math.max(1, count - 1)
        const isFilled = rank !== null && bar <= rank
        return (
          <rect
            key={bar}
            x={bar * 4}
            y={12 - height}
            width="3"
            height={height}
            rx="1"
            className={isFilled ? 'tag__bar tag__bar--filled' : 'tag__bar'}
          />
        )
      })}
    </svg>
  )
}
