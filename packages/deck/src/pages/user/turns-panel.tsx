import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { userTurnsQuery, userUsageQuery } from '../../api/queries.ts'
import type { Bond } from '../../api/wire.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { QueryResult } from '../../components/query-result.tsx'
import { LabeledSelect } from '../../components/select.tsx'
import { TimeSeries } from '../../components/time-series.tsx'
import { formatCompact } from '../../format-number.ts'
import { useNow } from '../../time/clock.ts'
import { lastDays } from '../../time/days.ts'
import { TurnTable } from '../turns/turn-table.tsx'
import { OUTCOMES } from '../turns/turns-page.tsx'
import { PanelToolbar } from './panel-toolbar.tsx'

const DAYS = 30

/** The turns of a user, and what they add up to on each day. */
export function TurnsPanel({ bond }: { bond: Bond }): ReactElement {
  const [outcome, setOutcome] = useSearchParam('outcome')
  const log = useInfiniteQuery(userTurnsQuery(bond.user, outcome))
  const turns = log.data?.pages.flatMap(({ data }) => data) ?? []
  return (
    <>
      <UsageChart bond={bond} />
      <PanelToolbar>
        <LabeledSelect label="Show" value={outcome} options={OUTCOMES} onChange={setOutcome} />
      </PanelToolbar>
      <QueryResult query={log} name="turns" lines={6}>
        {() =>
          turns.length === 0 ? (
            <p className="muted">{outcome === '' ? 'No turns yet.' : 'No turn matches.'}</p>
          ) : (
            <TurnTable turns={turns} log={log} hasUser={false} />
          )
        }
      </QueryResult>
    </>
  )
}

function UsageChart({ bond }: { bond: Bond }): ReactElement {
  const usage = useQuery(userUsageQuery(bond.user))
  const labels = lastDays(useNow(), DAYS, bond.timeZone)
  return (
    <QueryResult query={usage} name="usage">
      {({ data }) => {
        const sums = new Map(data.map((sum) => [sum.key, sum]))
        const values = (pick: 'turns' | 'refused'): number[] => labels.map((day) => sums.get(day)?.[pick] ?? 0)
        return (
          <TimeSeries
            title="Turns a day, last 30 days"
            labels={labels}
            kind="bars"
            format={formatCompact}
            series={[
              { name: 'turns', values: values('turns') },
              { name: 'refused', values: values('refused'), tone: { 'data-heat': -1 } },
            ]}
          />
        )
      }}
    </QueryResult>
  )
}
