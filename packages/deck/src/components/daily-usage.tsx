import type { ReactElement } from 'react'
import type { UsageSum } from '../api/wire.ts'
import { formatCompact } from '../format-number.ts'
import { Surface } from './card.tsx'
import { type Query, QueryResult } from './query-result.tsx'
import { TimeSeries } from './time-series.tsx'

/** One part of the bars: its name, its value in the sum of a day, and its color. */
interface Part {
  readonly name: string
  readonly tone?: Readonly<Record<string, number>>
  amountOf(sum: UsageSum): number
}

const TURNS: readonly Part[] = [
  { name: 'turns', amountOf: ({ turns }) => turns },
  { name: 'refused', amountOf: ({ refused }) => refused, tone: { 'data-heat': -1 } },
]
const TOKENS: readonly Part[] = [
  { name: 'input', amountOf: ({ inputTokens }) => inputTokens },
  { name: 'output', amountOf: ({ outputTokens }) => outputTokens, tone: { 'data-hue': 3 } },
]

/** Lines of a skeleton as high as a chart. */
export const CHART_LINES = 10

interface DailyUsageProps {
  readonly days: readonly string[]
  readonly usage: Query<{ readonly data: readonly UsageSum[] }>
}

/** Turns and tokens of each day, as two charts. Days without a sum are shown as 0. */
export function DailyUsage(props: DailyUsageProps): ReactElement {
  return (
    <>
      <DailyBars label="Turns" parts={TURNS} {...props} />
      <DailyBars label="Tokens" parts={TOKENS} {...props} />
    </>
  )
}

function DailyBars({
  label,
  parts,
  days,
  usage,
}: DailyUsageProps & { label: string; parts: readonly Part[] }): ReactElement {
  return (
    <QueryResult query={usage} name={`${label.toLowerCase()} a day`} lines={CHART_LINES} shape="card">
      {({ data }) => {
        const sums = new Map(data.map((sum) => [sum.key, sum]))
        const series = parts.map(({ amountOf, ...part }) => ({
          ...part,
          values: days.map((day) => {
            const sum = sums.get(day)
            return sum === undefined ? 0 : amountOf(sum)
          }),
        }))
        return (
          <Surface className="" label={label}>
            <TimeSeries title={`${label} a day`} labels={days} kind="bars" format={formatCompact} series={series} />
          </Surface>
        )
      }}
    </QueryResult>
  )
}
