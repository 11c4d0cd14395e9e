import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { riskChangeQuery, userUsageQuery } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond, UsageSum } from '../../api/wire.ts'
import { CapUsage } from '../../components/limit-usage.tsx'
import { Sparkline } from '../../components/sparkline.tsx'
import { PhaseTag, RiskTag } from '../../components/tags.tsx'
import { ElapsedTime, RelativeTime } from '../../components/timestamps.tsx'
import { formatCompact, formatInteger } from '../../format-number.ts'
import { useNow } from '../../time/clock.ts'
import { lastDays } from '../../time/days.ts'

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
  /** For files; absent where the list itself does not have the value. */
  readonly exportValue?: (bond: Bond) => string | number | null
}

export const USER_COLUMNS: readonly UserColumn[] = [
  {
    id: 'risk',
    name: 'Risk',
    width: 'minmax(150px, 1.1fr)',
    isDefault: true,
    render: (bond, vocabulary) => <RiskCell bond={bond} vocabulary={vocabulary} />,
    exportValue: ({ riskLevel }) => riskLevel,
  },
  {
    id: 'phase',
    name: 'Phase',
    width: 'minmax(120px, 1fr)',
    isDefault: true,
    render: ({ phase }, vocabulary) => <PhaseTag phase={phase} vocabulary={vocabulary} />,
    exportValue: ({ phase }) => phase,
  },
  {
    id: 'cap',
    name: 'Today',
    width: 'minmax(150px, 1.1fr)',
    orderBy: 'capUsed',
    order: 'desc',
    isDefault: true,
    render: (bond) => <CapUsage bond={bond} />,
    exportValue: ({ dailyCount }) => dailyCount,
  },
  {
    id: 'reset',
    name: 'Resets',
    width: 'minmax(90px, 0.6fr)',
    render: ({ windowResetAt, timeZone }) =>
      windowResetAt === null ? <None /> : <RelativeTime at={windowResetAt} zone={timeZone} />,
    exportValue: ({ windowResetAt }) => windowResetAt,
  },
  {
    id: 'plan',
    name: 'Plan',
    width: 'minmax(80px, 0.6fr)',
    isDefault: true,
    render: ({ plan }) => plan ?? <None />,
    exportValue: ({ plan }) => plan,
  },
  {
    id: 'turns',
    name: 'Turns',
    width: 'minmax(70px, 0.5fr)',
    isNumeric: true,
    render: ({ turnCount }) => formatInteger(turnCount),
    exportValue: ({ turnCount }) => turnCount,
  },
  {
    id: 'peak',
    name: 'Peak',
    width: 'minmax(110px, 0.8fr)',
    orderBy: 'peak',
    order: 'desc',
    render: ({ peaks }) => <PeakCell peaks={peaks} />,
    exportValue: ({ peaks }) => highestPeak(peaks)?.[1].value ?? null,
  },
  {
    id: 'notes',
    name: 'Notes',
    width: 'minmax(60px, 0.4fr)',
    isNumeric: true,
    render: ({ notesCount }) => (notesCount === 0 ? <None /> : formatInteger(notesCount)),
    exportValue: ({ notesCount }) => notesCount,
  },
  {
    id: 'activity',
    name: 'Turns, 30 days',
    width: 'minmax(120px, 0.8fr)',
    render: (bond) => <Activity bond={bond} />,
  },
  {
    id: 'tokens',
    name: 'Tokens, 30 days',
    width: 'minmax(90px, 0.6fr)',
    isNumeric: true,
    render: (bond) => <UsageFigure bond={bond} pick={({ inputTokens, outputTokens }) => inputTokens + outputTokens} />,
  },
  {
    id: 'cost',
    name: 'Cost, 30 days',
    width: 'minmax(90px, 0.6fr)',
    isNumeric: true,
    render: (bond) => <UsageFigure bond={bond} pick={({ cost }) => Number(cost)} />,
  },
  {
    id: 'created',
    name: 'First seen',
    width: 'minmax(100px, 0.7fr)',
    orderBy: 'createdAt',
    order: 'desc',
    render: ({ createdAt, timeZone }) => <RelativeTime at={createdAt} zone={timeZone} />,
    exportValue: ({ createdAt }) => createdAt,
  },
  {
    id: 'seen',
    name: 'Last seen',
    width: 'minmax(100px, 0.7fr)',
    orderBy: 'lastSeenAt',
    order: 'desc',
    isDefault: true,
    render: ({ lastSeenAt, timeZone }) => <RelativeTime at={lastSeenAt} zone={timeZone} />,
    exportValue: ({ lastSeenAt }) => lastSeenAt,
  },
]

/** Columns of a file: the id, then all. */
export const EXPORT_COLUMNS = [
  { name: 'user', valueOf: (bond: Bond) => bond.user },
  { name: 'blocked', valueOf: (bond: Bond) => bond.blocked !== null },
  ...USER_COLUMNS.flatMap((column) =>
    column.exportValue === undefined ? [] : [{ name: column.id, valueOf: column.exportValue }],
  ),
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
      <span className="sr-only">{hasRisen ? 'risen' : 'fallen'}</span> for{' '}
      <ElapsedTime since={change.at} zone={bond.timeZone} coarse />
    </span>
  )
}

const DAYS = 30

/** The turns of each of the last 30 days, as bars and as their sum. */
function Activity({ bond }: { bond: Bond }): ReactElement | null {
  const usage = useQuery(userUsageQuery(bond.user)).data
  const days = lastDays(useNow(), DAYS, bond.timeZone)
  if (usage === undefined) return null
  const turns = new Map(usage.data.map(({ key, turns }) => [key, turns]))
  const values = days.map((day) => turns.get(day) ?? 0)
  return (
    <span className="activity">
      <Sparkline values={values} />
      <span className="tabular-nums">{formatInteger(values.reduce((sum, value) => sum + value, 0))}</span>
    </span>
  )
}

function UsageFigure({ bond, pick }: { bond: Bond; pick(sum: UsageSum): number }): ReactElement | string {
  const usage = useQuery(userUsageQuery(bond.user)).data
  if (usage === undefined) return ''
  const sum = usage.data.reduce((total, day) => total + pick(day), 0)
  return sum === 0 ? <None /> : formatCompact(sum)
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
