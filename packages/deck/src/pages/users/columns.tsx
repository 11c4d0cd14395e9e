import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { riskChangeQuery } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { CapUsage } from '../../components/limit-usage.tsx'
import { PhaseTag, RiskTag } from '../../components/tags.tsx'
import { ElapsedTime, RelativeTime } from '../../components/timestamps.tsx'
import { formatInteger } from '../../format-number.ts'

/** A column of the list beside the id. */
export interface UserColumn {
  readonly id: string
  readonly name: string
  /** Width as a track of a grid. */
  readonly width: string
  /** Present on columns that can be sorted, with the order of the first click. */
  readonly orderBy?: string
  readonly order?: 'asc' | 'desc'
  readonly isNumeric?: boolean
  /** Shown unless the reader has chosen columns. */
  readonly isDefault?: boolean
  render(bond: Bond, vocabulary: Vocabulary): ReactElement | string
  /** For files. */
  valueOf(bond: Bond): string | number | null
}

export const USER_COLUMNS: readonly UserColumn[] = [
  {
    id: 'risk',
    name: 'Risk',
    width: 'minmax(150px, 1.1fr)',
    isDefault: true,
    render: (bond, vocabulary) => <RiskCell bond={bond} vocabulary={vocabulary} />,
    valueOf: ({ riskLevel }) => riskLevel,
  },
  {
    id: 'phase',
    name: 'Phase',
    width: 'minmax(120px, 1fr)',
    isDefault: true,
    render: ({ phase }, vocabulary) => <PhaseTag phase={phase} vocabulary={vocabulary} />,
    valueOf: ({ phase }) => phase,
  },
  {
    id: 'cap',
    name: 'Today',
    width: 'minmax(150px, 1.1fr)',
    orderBy: 'capUsed',
    order: 'desc',
    isDefault: true,
    render: (bond) => <CapUsage bond={bond} />,
    valueOf: ({ dailyCount }) => dailyCount,
  },
  {
    id: 'reset',
    name: 'Resets',
    width: 'minmax(90px, 0.6fr)',
    render: ({ windowResetAt, timeZone }) =>
      windowResetAt === null ? <None /> : <RelativeTime at={windowResetAt} zone={timeZone} />,
    valueOf: ({ windowResetAt }) => windowResetAt,
  },
  {
    id: 'plan',
    name: 'Plan',
    width: 'minmax(80px, 0.6fr)',
    isDefault: true,
    render: ({ plan }) => plan ?? <None />,
    valueOf: ({ plan }) => plan,
  },
  {
    id: 'turns',
    name: 'Turns',
    width: 'minmax(70px, 0.5fr)',
    isNumeric: true,
    render: ({ turnCount }) => formatInteger(turnCount),
    valueOf: ({ turnCount }) => turnCount,
  },
  {
    id: 'peak',
    name: 'Peak',
    width: 'minmax(110px, 0.8fr)',
    orderBy: 'peak',
    order: 'desc',
    render: ({ peaks }) => <PeakCell peaks={peaks} />,
    valueOf: ({ peaks }) => highestPeak(peaks)?.[1].value ?? null,
  },
  {
    id: 'notes',
    name: 'Notes',
    width: 'minmax(60px, 0.4fr)',
    isNumeric: true,
    render: ({ notesCount }) => (notesCount === 0 ? <None /> : formatInteger(notesCount)),
    valueOf: ({ notesCount }) => notesCount,
  },
  {
    id: 'created',
    name: 'First seen',
    width: 'minmax(100px, 0.7fr)',
    orderBy: 'createdAt',
    order: 'desc',
    render: ({ createdAt, timeZone }) => <RelativeTime at={createdAt} zone={timeZone} />,
    valueOf: ({ createdAt }) => createdAt,
  },
  {
    id: 'seen',
    name: 'Last seen',
    width: 'minmax(100px, 0.7fr)',
    orderBy: 'lastSeenAt',
    order: 'desc',
    isDefault: true,
    render: ({ lastSeenAt, timeZone }) => <RelativeTime at={lastSeenAt} zone={timeZone} />,
    valueOf: ({ lastSeenAt }) => lastSeenAt,
  },
]

/** Columns of a file: the id, then all. */
export const EXPORT_COLUMNS = [
  { name: 'user', valueOf: (bond: Bond) => bond.user },
  { name: 'blocked', valueOf: (bond: Bond) => bond.blocked !== null },
  ...USER_COLUMNS.map((column) => ({ name: column.id, valueOf: column.valueOf })),
]

function None(): ReactElement {
  return <span className="muted">–</span>
}

/** The level; above the lowest one also since when, and whether it rose or fell. */
function RiskCell({ bond, vocabulary }: { bond: Bond; vocabulary: Vocabulary }): ReactElement {
  const rank = vocabulary.rankOf(bond.riskLevel)
  return (
    <span className="risk-cell">
      <RiskTag level={bond.riskLevel} vocabulary={vocabulary} />
      {rank !== null && rank > 0 && <RiskTrend bond={bond} vocabulary={vocabulary} />}
    </span>
  )
}

function RiskTrend({ bond, vocabulary }: { bond: Bond; vocabulary: Vocabulary }): ReactElement | null {
  const change = useQuery(riskChangeQuery(bond.user)).data?.data[0]
  if (change === undefined) return null
  const [from, to] = [change.data.from, change.data.to].map((level) => vocabulary.rankOf(String(level)) ?? 0)
  const hasRisen = (to ?? 0) > (from ?? 0)
  return (
    <span className="risk-cell__trend muted small">
      <span aria-hidden="true">{hasRisen ? '↑' : '↓'}</span>
      <span className="sr-only">{hasRisen ? 'risen for' : 'fallen for'}</span>{' '}
      <ElapsedTime since={change.at} zone={bond.timeZone} coarse />
    </span>
  )
}

function highestPeak(peaks: Bond['peaks']): [string, Bond['peaks'][string]] | undefined {
  return Object.entries(peaks).sort(([, a], [, b]) => b.value - a.value)[0]
}

function PeakCell({ peaks }: { peaks: Bond['peaks'] }): ReactElement {
  const highest = highestPeak(peaks)
  if (highest === undefined) return <None />
  const [node, { value }] = highest
  return (
    <span>
      {node} <span className="muted tabular-nums">{value}</span>
    </span>
  )
}
