import './limit-usage.css'
import type { ReactElement } from 'react'
import { formatLimitAmount } from '../api/limit-names.ts'
import type { Bond, LimitState } from '../api/wire.ts'
import { formatInteger } from '../format-number.ts'
import { ProgressBar, type ProgressLevel } from './progress-bar.tsx'

/** From this part of a limit on, a bar is shown as nearly full. */
const NEAR_LIMIT = 0.8

/** The used part of a limit, 0 to 1, and its level; a ratio of null means that there is no limit. */
export interface UsedPart {
  readonly ratio: number | null
  readonly level: ProgressLevel
}

export function usedPartOf(used: number, max: number | null): UsedPart {
  if (max === null) return { ratio: null, level: 'unlimited' }
  const ratio = max === 0 ? 1 : Math.min(1, used / max)
  return { ratio, level: ratio === 1 ? 'full' : ratio >= NEAR_LIMIT ? 'near' : 'normal' }
}

export function usedPartOfLimit({ used, max }: Pick<LimitState, 'used' | 'max'>): UsedPart {
  return usedPartOf(Number(used), max === null ? null : Number(max))
}

export function usedPartOfCap({ dailyCap, dailyCount }: Pick<Bond, 'dailyCap' | 'dailyCount'>): UsedPart {
  return usedPartOf(dailyCount, dailyCap === 0 ? null : dailyCap)
}

/** Today's count against the daily cap, as a bar and in figures. */
export function CapUsage({ bond }: { bond: Bond }): ReactElement {
  const { ratio, level } = usedPartOfCap(bond)
  return (
    <span className="limit-usage" data-level={level}>
      <ProgressBar value={ratio ?? 0} level={level} />
      <span className="limit-usage__figures tabular-nums">
        {formatInteger(bond.dailyCount)}
        <span className="limit-usage__max">{ratio === null ? ' · no cap' : ` / ${formatInteger(bond.dailyCap)}`}</span>
        {level === 'full' && <span className="sr-only">, cap reached</span>}
      </span>
    </span>
  )
}

/** The use under a limit as a meter. */
export function LimitMeter({ limit }: { limit: LimitState }): ReactElement {
  const { ratio, level } = usedPartOfLimit(limit)
  const text =
    limit.max === null
      ? 'no limit'
      : `${formatLimitAmount(limit, limit.used)} of ${formatLimitAmount(limit, limit.max)}`
  return (
    <>
      {ratio !== null && (
        <meter
          className="sr-only"
          aria-label={`Used of ${limit.name}`}
          min={0}
          max={1}
          value={ratio}
          aria-valuetext={text}
        />
      )}
      <ProgressBar value={ratio ?? 0} level={level} size="large" />
    </>
  )
}
