import type { ReactElement } from 'react'
import type { Vocabulary } from '../api/vocabulary.ts'

/** A phase: its name, with a dot in its hue. */
export function PhaseTag({ phase, vocabulary }: { phase: string; vocabulary: Vocabulary }): ReactElement {
  return (
    <span className="tag" data-hue={vocabulary.hueOf(phase)}>
      <span className="dot" aria-hidden="true" />
      <span className="tag-text">{phase}</span>
    </span>
  )
}

/** A risk level: its name, with as many filled bars as it is high, so that its colour never speaks alone. */
export function RiskTag({ level, vocabulary }: { level: string; vocabulary: Vocabulary }): ReactElement {
  const rank = vocabulary.rankOf(level)
  return (
    <span className="tag risk" data-heat={heatOf(level, vocabulary)}>
      <RiskBars rank={rank} steps={vocabulary.steps} />
      <span className="tag-text">{level}</span>
    </span>
  )
}

/** 0 to 3 for the colours of risk, whatever the number of levels; -1 when the order is not known. */
export function heatOf(level: string, vocabulary: Vocabulary): number {
  const rank = vocabulary.rankOf(level)
  if (rank === null) return -1
  if (rank === 0 || vocabulary.steps < 2) return 0
  return Math.max(1, Math.round((rank / (vocabulary.steps - 1)) * 3))
}

function RiskBars({ rank, steps }: { rank: number | null; steps: number }): ReactElement {
  const shown = Math.min(steps, 5)
  return (
    <svg className="risk-bars" viewBox={`0 0 ${shown * 4} 12`} width={shown * 4} height="12" aria-hidden="true">
      {Array.from({ length: shown }, (_, bar) => {
        const height = 4 + (bar * 8) / Math.max(1, shown - 1)
        const filled = rank !== null && bar <= rank
        return (
          <rect
            key={bar}
            x={bar * 4}
            y={12 - height}
            width="3"
            height={height}
            rx="1"
            className={filled ? 'filled' : 'hollow'}
          />
        )
      })}
    </svg>
  )
}
