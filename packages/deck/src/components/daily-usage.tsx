import type { ReactElement } from 'react'
import type { UsageSum } from '../api/wire.ts'
import { formatCompact } from '../format-number.ts'
import { Surface } from './card.tsx'
import { type Series, TimeSeries } from './time-series.tsx'

/** Turns and tokens of each day, as two charts. `days` without a sum are shown as 0. */
export function DailyUsage(props: { days: readonly string[]; sums: readonly UsageSum[] }): ReactElement {
  const { days } = props
  const sums = new Map(props.sums.map((sum) => [sum.key, sum]))
  const values = (pick: (sum: UsageSum) => number): number[] =>
    days.map((day) => {
      const sum = sums.get(day)
      return sum === undefined ? 0 : pick(sum)
    })
  return (
    <>
      <DailyBars
        label="Turns"
        days={days}
        series={[
          { name: 'turns', values: values(({ turns }) => turns) },
          { name: 'refused', values: values(({ refused }) => refused), tone: { 'data-heat': -1 } },
        ]}
      />
      <DailyBars
        label="Tokens"
        days={days}
        series={[
          { name: 'input', values: values(({ inputTokens }) => inputTokens) },
          { name: 'output', values: values(({ outputTokens }) => outputTokens), tone: { 'data-hue': 3 } },
        ]}
      />
    </>
  )
}

function DailyBars(props: { label: string; days: readonly string[]; series: readonly Series[] }): ReactElement {
  const { label, days, series } = props
  return (
    <Surface className="" label={label}>
      <TimeSeries title={`${label} a day`} labels={days} kind="bars" format={formatCompact} series={series} />
    </Surface>
  )
}
