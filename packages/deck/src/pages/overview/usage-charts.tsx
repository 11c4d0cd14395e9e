import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import { configurationQuery, type UsageBy, usageQuery } from '../../api/queries.ts'
import { turnsPath } from '../../browser/location.ts'
import { Card } from '../../components/card.tsx'
import { DailyUsage } from '../../components/daily-usage.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { formatAmount, formatCompact, formatInteger } from '../../format-number.ts'
import { useNow } from '../../time/clock.ts'
import { lastDays } from '../../time/days.ts'

const DAYS = 30

/** Turns, tokens and money of all users on each of the last 30 days, by provider and by limit. */
export function UsageCharts(): ReactElement {
  const days = useQuery(usageQuery('day'))
  const labels = lastDays(useNow(), DAYS)
  return (
    <>
      <div className="overview__pair">
        <DailyUsage days={labels} usage={days} />
      </div>
      <div className="overview__pair">
        <SumTable by="provider" title="By provider, last 30 days" keyName="Provider" />
        <SumTable by="limit" title="Refusals by limit, last 30 days" keyName="Limit" />
      </div>
    </>
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
                    <th scope="row">
                      {sum.key === null ? (
                        'none'
                      ) : (
                        <Link href={turnsPath(isLimit ? { outcome: 'refused', code: sum.key } : { provider: sum.key })}>
                          {sum.key}
                        </Link>
                      )}
                    </th>
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
