import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { apiUrl } from '../../api/client.ts'
import { type TurnFilter, turnListParams, turnsQuery } from '../../api/queries.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { Surface } from '../../components/card.tsx'
import { DelayedInput } from '../../components/delayed-input.tsx'
import { EmptyState } from '../../components/empty-state.tsx'
import { FilterBar } from '../../components/filter-bar.tsx'
import { ListActions } from '../../components/list-actions.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { LabeledSelect, Select } from '../../components/select.tsx'
import { Page, PageHeader, usePageTitle } from '../../layout/page.tsx'
import { TURN_EXPORT_COLUMNS, TurnTable } from './turn-table.tsx'

export const OUTCOMES = [
  ['', 'all turns'],
  ['completed', 'completed'],
  ['refused', 'refused'],
  ['failed', 'failed'],
  ['cancelled', 'cancelled'],
] as const

const DURATIONS = [
  ['', 'Any duration'],
  ['1000', 'Over 1 s'],
  ['5000', 'Over 5 s'],
  ['30000', 'Over 30 s'],
] as const

/** The turns of all users, newest first. */
export function TurnsPage(): ReactElement {
  const [outcome, setOutcome] = useSearchParam('outcome')
  const [user, setUser] = useSearchParam('user')
  const [provider, setProvider] = useSearchParam('provider')
  const [model, setModel] = useSearchParam('model')
  const [code, setCode] = useSearchParam('code')
  const [minMs, setMinMs] = useSearchParam('minMs')
  const filter: TurnFilter = { outcome, user, provider, model, code, minMs }
  const log = useInfiniteQuery(turnsQuery(filter))
  const turns = log.data?.pages.flatMap(({ data }) => data) ?? []
  const isFiltered = Object.values(filter).some((value) => value !== '')
  usePageTitle('Turns')
  return (
    <Page>
      <PageHeader title="Turns" lead="Every request of every user, newest first, with why it went as it did.">
        <ListActions
          name="turns"
          rows={turns}
          columns={TURN_EXPORT_COLUMNS}
          url={apiUrl('/api/turns', {}, turnListParams(filter, undefined))}
        />
      </PageHeader>
      <FilterBar>
        <LabeledSelect
          label="Show"
          value={outcome}
          options={OUTCOMES}
          isActive={outcome !== ''}
          onChange={setOutcome}
        />
        <Select aria-label="Duration" value={minMs} options={DURATIONS} isActive={minMs !== ''} onChange={setMinMs} />
        <DelayedInput label="User" placeholder="User id" value={user} onChange={setUser} />
        <DelayedInput label="Provider" placeholder="Provider" value={provider} onChange={setProvider} />
        <DelayedInput label="Model" placeholder="Model" value={model} onChange={setModel} />
        <DelayedInput label="Code" placeholder="Error code" value={code} onChange={setCode} />
      </FilterBar>
      <QueryResult query={log} name="turns" lines={16} shape="card">
        {() =>
          turns.length === 0 && !log.hasNextPage ? (
            <EmptyState title={isFiltered ? 'No matching turns' : 'No turns yet'}>
              <p>
                {isFiltered
                  ? 'No turn matches all filters. Remove one of them.'
                  : 'A turn appears here with the first chat request.'}
              </p>
            </EmptyState>
          ) : (
            <Surface className="turns-page__card">
              <TurnTable turns={turns} log={log} />
            </Surface>
          )
        }
      </QueryResult>
    </Page>
  )
}
