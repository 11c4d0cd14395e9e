import './sidebar.css'
import type { Bond } from 'purser'
import type { ReactElement } from 'react'
import { capUsageOf } from '../../components/cap-usage.tsx'
import { Card } from '../../components/card.tsx'
import { DescriptionItem, DescriptionList } from '../../components/description-list.tsx'
import { ProgressBar } from '../../components/progress-bar.tsx'
import { AbsoluteTime, RelativeTime } from '../../components/timestamps.tsx'
import { formatInteger } from '../../format-number.ts'
import { NotesCard } from './notes-card.tsx'

/** Quota, notes and bond of a user. */
export function Sidebar({ bond }: { bond: Bond }): ReactElement {
  return (
    <aside className="sidebar" aria-label="About the user">
      <QuotaCard bond={bond} />
      <NotesCard bond={bond} />
      <BondCard bond={bond} />
    </aside>
  )
}

/** Today's count against the daily cap, and when the count is reset. */
function QuotaCard({ bond }: { bond: Bond }): ReactElement {
  const { ratio, level } = capUsageOf(bond)
  const [count, cap] = [formatInteger(bond.dailyCount), formatInteger(bond.dailyCap)]
  return (
    <Card
      title="Today"
      id="quota"
      aside={<span className="muted small">{bond.capOrigin === 'default' ? 'default cap' : 'user cap'}</span>}
    >
      <p className="quota__figures">
        <span className="quota__count">{count}</span>
        <span className="muted">{ratio === null ? 'messages, no cap' : `of ${cap} messages`}</span>
      </p>
      {ratio !== null && (
        <>
          <div className="quota__bar">
            <meter
              className="sr-only"
              aria-label="Used today"
              min={0}
              max={bond.dailyCap}
              value={Math.min(bond.dailyCount, bond.dailyCap)}
              aria-valuetext={`${count} of ${cap}`}
            />
            <ProgressBar value={ratio} level={level} size="large" />
          </div>
          <p className="small">
            {level === 'full' ? 'Cap reached.' : `${formatInteger(bond.dailyCap - bond.dailyCount)} left.`}{' '}
            {bond.windowResetAt !== null && (
              <span className="muted">
                Resets <RelativeTime at={bond.windowResetAt} zone={bond.timeZone} />,
                <br />
                <AbsoluteTime at={bond.windowResetAt} zone={bond.timeZone} />
              </span>
            )}
          </p>
        </>
      )}
    </Card>
  )
}

/** The fields of the bond that are not in the header, and the peaks. */
function BondCard({ bond }: { bond: Bond }): ReactElement {
  const peaks = Object.entries(bond.peaks).sort(([, a], [, b]) => b.value - a.value)
  return (
    <Card title="Bond" id="bond">
      <DescriptionList>
        <DescriptionItem name="Archetype">{bond.archetype}</DescriptionItem>
        <DescriptionItem name="Previous phase">{bond.previousPhase}</DescriptionItem>
        <DescriptionItem name="Egg status">{bond.eggStatus}</DescriptionItem>
        <DescriptionItem name="Turns">{formatInteger(bond.turnCount)}</DescriptionItem>
        <DescriptionItem name="Time zone">{bond.timeZone}</DescriptionItem>
        <DescriptionItem name="First seen">
          <RelativeTime at={bond.createdAt} zone={bond.timeZone} />
        </DescriptionItem>
        <DescriptionItem name="Version">{formatInteger(bond.version)}</DescriptionItem>
      </DescriptionList>
      {peaks.length > 0 && (
        <>
          <h3 className="peaks__title">Peaks</h3>
          <ul className="peaks">
            {peaks.map(([node, { value }]) => (
              <li key={node} className="peaks__item">
                <span className="peaks__node">{node}</span>
                <ProgressBar value={Math.min(1, Math.max(0, value))} />
                <span className="peaks__value tabular-nums">{value}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Card>
  )
}
