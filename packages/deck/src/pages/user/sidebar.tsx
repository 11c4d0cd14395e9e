import './sidebar.css'
import type { ReactElement } from 'react'
import type { Bond } from '../../api/wire.ts'
import { Card } from '../../components/card.tsx'
import { DescriptionItem, DescriptionList } from '../../components/description-list.tsx'
import { ProgressBar } from '../../components/progress-bar.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { formatInteger } from '../../format-number.ts'
import { CachesCard } from './caches-card.tsx'
import { LimitsCard } from './limits-card.tsx'
import { NotesCard } from './notes-card.tsx'

/** Limits, notes, peaks, caches and bond of a user. */
export function Sidebar({ bond }: { bond: Bond }): ReactElement {
  return (
    <aside className="sidebar" aria-label="About the user">
      <LimitsCard bond={bond} />
      <NotesCard bond={bond} />
      <PeaksCard bond={bond} />
      <CachesCard bond={bond} />
      <BondCard bond={bond} />
    </aside>
  )
}

/** The highest measured value of each node, as a bar with its date. */
function PeaksCard({ bond }: { bond: Bond }): ReactElement | null {
  const peaks = Object.entries(bond.peaks).sort(([, a], [, b]) => b.value - a.value)
  if (peaks.length === 0) return null
  const most = Math.max(1, ...peaks.map(([, { value }]) => value))
  return (
    <Card title="Peaks" id="peaks">
      <ul className="peaks">
        {peaks.map(([node, { value, at }]) => (
          <li key={node} className="peaks__item">
            <span className="peaks__node">{node}</span>
            <span className="peaks__value tabular-nums">{value.toFixed(2)}</span>
            <ProgressBar value={Math.min(1, Math.max(0, value / most))} />
            <span className="peaks__date muted small">
              <RelativeTime at={at} zone={bond.timeZone} />
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** The fields of the bond that are not in the header. */
function BondCard({ bond }: { bond: Bond }): ReactElement {
  return (
    <Card title="Bond" id="bond">
      <DescriptionList>
        <DescriptionItem name="Archetype">{bond.archetype}</DescriptionItem>
        <DescriptionItem name="Previous phase">{bond.previousPhase}</DescriptionItem>
        <DescriptionItem name="Egg status">{bond.eggStatus}</DescriptionItem>
        <DescriptionItem name="Turns measured">{formatInteger(bond.turnCount)}</DescriptionItem>
        <DescriptionItem name="Time zone">{bond.timeZone}</DescriptionItem>
        <DescriptionItem name="First seen">
          <RelativeTime at={bond.createdAt} zone={bond.timeZone} />
        </DescriptionItem>
        <DescriptionItem name="Version">{formatInteger(bond.version)}</DescriptionItem>
      </DescriptionList>
    </Card>
  )
}
