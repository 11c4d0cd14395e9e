import './cap-usage.css'
import type { Bond } from 'purser'
import type { ReactElement } from 'react'
import { formatInteger } from '../format-number.ts'
import { ProgressBar, type ProgressLevel } from './progress-bar.tsx'

/** From this part of the cap on, a bar has the warning color. */
const NEAR_CAP = 0.8

/** Used part of the daily cap, 0 to 1, and its level; a ratio of null means that there is no cap. */
export function capUsageOf(bond: Pick<Bond, 'dailyCap' | 'dailyCount'>): {
  ratio: number | null
  level: ProgressLevel
} {
  if (bond.dailyCap === 0) return { ratio: null, level: 'unlimited' }
  const ratio = Math.min(1, bond.dailyCount / bond.dailyCap)
  return { ratio, level: ratio === 1 ? 'full' : ratio >= NEAR_CAP ? 'near' : 'normal' }
}

/** Today's count against the daily cap, as a bar and in figures. */
export function CapUsage({ bond }: { bond: Bond }): ReactElement {
  const { ratio, level } = capUsageOf(bond)
  return (
    <span className="cap-usage" data-level={level}>
      <ProgressBar value={ratio ?? 0} level={level} />
      <span className="cap-usage__figures tabular-nums">
        {formatInteger(bond.dailyCount)}
        <span className="cap-usage__cap">{ratio === null ? ' · no cap' : ` / ${formatInteger(bond.dailyCap)}`}</span>
        {level === 'full' && <span className="sr-only">, cap reached</span>}
      </span>
    </span>
  )
}
