import './state-sentence.css'
import type { ReactElement } from 'react'
import type { Vocabulary } from '../api/vocabulary.ts'
import type { Bond } from '../api/wire.ts'
import { formatInteger } from '../format-number.ts'
import { PhaseTag, RiskTag } from './tags.tsx'
import { ElapsedTime, RelativeTime } from './timestamps.tsx'

/** How a user is, in one sentence. `riskSince`: when the risk level last changed; null if that is not known. */
export function StateSentence(props: { bond: Bond; vocabulary: Vocabulary; riskSince: string | null }): ReactElement {
  const { bond, vocabulary, riskSince } = props
  const zone = bond.timeZone
  const turns = `${formatInteger(bond.dailyCount)}${bond.dailyCap === 0 ? '' : ` of ${formatInteger(bond.dailyCap)}`}`
  return (
    <p className="state-sentence">
      <RiskTag level={bond.riskLevel} vocabulary={vocabulary} /> risk
      {riskSince !== null && (
        <>
          {' '}
          for <ElapsedTime since={riskSince} zone={zone} />
        </>
      )}
      , in <PhaseTag phase={bond.phase} vocabulary={vocabulary} />
      {bond.phaseEnteredAt !== null && (
        <>
          {' '}
          for <ElapsedTime since={bond.phaseEnteredAt} zone={zone} />
        </>
      )}
      ; {turns} {bond.dailyCap === 0 && bond.dailyCount === 1 ? 'turn' : 'turns'} today, last admitted{' '}
      <RelativeTime at={bond.lastSeenAt} zone={zone} />.
    </p>
  )
}
