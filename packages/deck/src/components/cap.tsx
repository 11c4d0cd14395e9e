import type { ReactElement } from 'react'
import type { Bond } from '../api/wire.ts'
import { whole } from '../time/instants.ts'

/** How full the window is: 0 to 1; null when there is no cap. */
export function fillOf(bond: Pick<Bond, 'dailyCap' | 'dailyCount'>): number | null {
  return bond.dailyCap === 0 ? null : Math.min(1, bond.dailyCount / bond.dailyCap)
}

/** Today's count against the cap: a bar and the same in figures. */
export function CapBar({ bond }: { bond: Bond }): ReactElement {
  const fill = fillOf(bond)
  const reached = fill !== null && bond.dailyCount >= bond.dailyCap
  return (
    <span className="cap" data-level={fill === null ? 'none' : reached ? 'reached' : fill >= 0.8 ? 'near' : 'free'}>
      <span className="bar" aria-hidden="true">
        <span className="bar-fill" style={{ '--fill': String(fill ?? 0) } as Record<string, string>} />
      </span>
      <span className="figures">
        {whole(bond.dailyCount)}
        <span className="quiet">{fill === null ? ' · no cap' : ` / ${whole(bond.dailyCap)}`}</span>
        {reached && <span className="unseen">, the cap is reached</span>}
      </span>
    </span>
  )
}
