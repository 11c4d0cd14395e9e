import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { configurationQuery, type UsageBy, usageQuery } from '../../api/queries.ts'
import type { UsageSum } from '../../api/wire.ts'
import { Card, Surface } from '../../components/card.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { TimeSeries } from '../../components/time-series.tsx'
import { formatAmount, formatCompact, formatInteger } from '../../format-number.ts'
import { useNow } from '../../time/clock.ts'
import { lastDays } from '../../time/days.ts'

const DAYS = 30

/** Turns, tokens and money of all users on each of the last 30 days, by provider and by limit. */
export function UsageCharts(): ReactElement {
  const days = useQuery(usageQuery('day'))
  const labels = lastDays(useNow(), DAYS)
  return (
    <QueryResult query={days} name="usage" lines={6}>
      {({ data }) => {
        const sums = new Map(data.map((sum) => [sum.key, sum]))
        const values = (pick: (sum: UsageSum) => number): number[] =>
          labels.map((day) => {
            const sum = sums.get(day)
            return sum === undefined ? 0 : pick(sum)
          })
        return (
          <>
            <div className="overview__pair">
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
            </div>
            <div className="overview__pair">
              <SumTable by="provider" title="By provider, last 30 days" keyName="Provider" />
              <SumTable by="limit" title="Refusals by limit, last 30 days" keyName="Limit" />
            </div>
          </>
        )
      }}
    </QueryResult>
  )
}

function SumTable(props: { by: UsageBy; title: string; keyName: string }): ReactElement {
  const { by, title, keyName } = props
  const usage = useQuery(usageQuery(by))
  const currency = useQuery(configurationQuery).data?.currency ?? ''
  const isLimit = by === 'limit'
  return (
    <Card title={title} id={`usage-${by}`}>
      <QueryResult query={usage} name={title} lines={3}>
        {({ data }) => {
          const rows = isLimit ? data.filter(({ refused }) => refused > 0) : data
          if (rows.length === 0) return <p className="muted">{isLimit ? 'No turn was refused.' : 'No turns yet.'}</p>
          return (
            <ScrollArea label={title}>
              <DataTable
                label={title}
                compact
                columns={[
                  { name: keyName },
                  ...(isLimit
                    ? [{ name: 'Refused', isNumeric: true }]
                    : [
                        { name: 'Turns', isNumeric: true },
                        { name: 'Tokens', isNumeric: true },
                        { name: `Cost, ${currency}`, isNumeric: true },
                      ]),
                ]}
              >
                {rows.map((sum) => (
                  <tr key={String(sum.key)}>
                    <th scope="row">{sum.key ?? 'none'}</th>
                    {isLimit ? (
                      <td className="data-table__number">{formatInteger(sum.refused)}</td>
                    ) : (
                      <>
                        <td className="data-table__number">{formatInteger(sum.turns)}</td>
                        <td className="data-table__number">{formatCompact(sum.inputTokens + sum.outputTokens)}</td>
                        <td className="data-table__number">{formatAmount(sum.cost)}</td>
                      </>
                    )}
                  </tr>
                ))}
              </DataTable>
            </ScrollArea>
          )
        }}
      </QueryResult>
    </Card>
  )
}
