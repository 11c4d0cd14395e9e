import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { userTurnsQuery } from '../../api/queries.ts'
import type { Bond } from '../../api/wire.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { QueryResult } from '../../components/query-result.tsx'
import { LabeledSelect } from '../../components/select.tsx'
import { TurnTable } from '../turns/turn-table.tsx'
import { OUTCOMES } from '../turns/turns-page.tsx'
import type { PageRange } from './page-range.ts'
import { PanelToolbar } from './panel-toolbar.tsx'

/** The turns of a user in a range. */
export function TurnsPanel({ bond, range }: { bond: Bond; range: PageRange }): ReactElement {
  const [outcome, setOutcome] = useSearchParam('outcome')
  const log = useInfiniteQuery(userTurnsQuery(bond.user, { outcome, period: range.period }))
  const turns = log.data?.pages.flatMap(({ data }) => data) ?? []
  return (
    <>
      <PanelToolbar>
        <LabeledSelect label="Show" value={outcome} options={OUTCOMES} onChange={setOutcome} />
      </PanelToolbar>
      <QueryResult query={log} name="turns" lines={6}>
        {() =>
          turns.length === 0 ? (
            <p className="muted">{outcome === '' && range.preset === '' ? 'No turns yet.' : 'No turn matches.'}</p>
          ) : (
            <TurnTable turns={turns} log={log} hasUser={false} />
          )
        }
      </QueryResult>
    </>
  )
}
