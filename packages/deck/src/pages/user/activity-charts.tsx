import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { userUsageQuery } from '../../api/queries.ts'
import type { Bond, UsageSum } from '../../api/wire.ts'
import { Surface } from '../../components/card.tsx'
import { TimeSeries } from '../../components/time-series.tsx'
import { formatCompact } from '../../format-number.ts'
import { lastDays } from '../../time/days.ts'
import type { TimeRange } from './timeline-tracks.ts'

const DAY_MS = 86_400_000
const MIN_DAYS = 7
const MAX_DAYS = 180

/** Turns and tokens of each day of the user in a range. */
export function ActivityCharts({ bond, range }: { bond: Bond; range: TimeRange }): ReactElement {
  const count = Math.min(MAX_DAYS, Math.max(MIN_DAYS, Math.ceil((range.to - range.from) / DAY_MS) + 1))
  const labels = lastDays(range.to, count, bond.timeZone)
  const usage = useQuery(userUsageQuery(bond.user, labels[0]))
  const sums = new Map((usage.data?.data ?? []).map((sum) => [sum.key, sum]))
  const values = (pick: (sum: UsageSum) => number): number[] =>
    labels.map((day) => {
      const sum = sums.get(day)
      return sum === undefined ? 0 : pick(sum)
    })
  return (
    <>
      <Surface className="" label="Turns">
        <TimeSeries
          title="Turns a day"
          labels={labels}
          kind="bars"
          format={formatCompact}
          series={[
            { name: 'turns', values: values(({ turns }) => turns) },
            { name: 'refused', values: values(({ refused }) => refused), tone: { 'data-heat': -1 } },
          ]}
        />
      </Surface>
      <Surface className="" label="Tokens">
        <TimeSeries
          title="Tokens a day"
          labels={labels}
          kind="bars"
          format={formatCompact}
          series={[
            { name: 'input', values: values(({ inputTokens }) => inputTokens) },
            { name: 'output', values: values(({ outputTokens }) => outputTokens), tone: { 'data-hue': 3 } },
          ]}
        />
      </Surface>
    </>
  )
}
