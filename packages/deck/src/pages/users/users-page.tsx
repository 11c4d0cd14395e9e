import './users-page.css'
import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useCallback, useRef, useState } from 'react'
import { apiUrl } from '../../api/client.ts'
import { overviewQuery, userListParams } from '../../api/queries.ts'
import { buildVocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { useShortcuts } from '../../browser/keyboard.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { useThrottledState } from '../../browser/use-throttled-state.ts'
import { Button } from '../../components/button.tsx'
import { Surface } from '../../components/card.tsx'
import { EmptyState } from '../../components/empty-state.tsx'
import { ErrorMessage } from '../../components/error-message.tsx'
import { ListActions } from '../../components/list-actions.tsx'
import { Skeleton } from '../../components/skeleton.tsx'
import { pluralize } from '../../format-number.ts'
import { Page, PageHeader, usePageTitle } from '../../layout/page.tsx'
import { useCan } from '../../layout/session.ts'
import { BulkDialog } from './bulk-dialog.tsx'
import { EXPORT_COLUMNS } from './columns.tsx'
import { FirstUser } from './first-user.tsx'
import { ColumnsMenu, useColumns, ViewsMenu } from './list-menus.tsx'
import { PeekPane } from './peek-pane.tsx'
import { Toolbar } from './toolbar.tsx'
import { useUserPages } from './use-user-pages.ts'
import { isFiltered, NO_FILTERS, useUserSearch } from './user-search.ts'
import { UserTable } from './user-table.tsx'

/** Rows that are only scrolled past are not loaded. */
const RANGE_INTERVAL_MS = 100

/** All users, updated live. */
export function UsersPage(): ReactElement {
  const [search, change] = useUserSearch()
  const [peeked, setPeeked] = useSearchParam('peek')
  const overview = useQuery(overviewQuery)
  const vocabulary = buildVocabulary(overview.data)
  const columns = useColumns()
  const searchInput = useRef<HTMLInputElement>(null)
  const table = useRef<HTMLDivElement>(null)
  const [range, setRange] = useThrottledState({ first: 0, last: 0 }, RANGE_INTERVAL_MS)
  const [isChangingAll, setIsChangingAll] = useState(false)
  const canOperate = useCan('operator')
  const isReading = useCallback(() => isBeingRead(table.current), [])
  const pages = useUserPages(search, { ...range, isReading })
  const onRange = useCallback((first: number, last: number) => setRange({ first, last }), [setRange])
  const closePeek = useCallback(() => setPeeked(''), [setPeeked])

  usePageTitle('Users')
  useShortcuts({ '/': () => searchInput.current?.focus() })

  if (overview.isError && overview.data === undefined) {
    return <ErrorMessage error={overview.error} retry={() => void overview.refetch()} />
  }
  if (overview.data?.users === 0 && !isFiltered(search)) return <FirstUser />
  const rows = Array.from({ length: range.last - range.first + 1 }, (_, index) => pages.rowAt(range.first + index))
  return (
    <Page>
      <PageHeader title="Users" lead={pages.total !== undefined && countText(pages.total, overview.data?.users)}>
        <ViewsMenu search={search} highestRisk={vocabulary.riskLevels.at(-1)} />
        <ColumnsMenu />
        <ListActions
          name="users"
          rows={rows.filter((bond): bond is Bond => bond !== undefined)}
          columns={EXPORT_COLUMNS}
          url={apiUrl('/api/users', {}, { ...userListParams(search), limit: 1_000 })}
        />
        {canOperate && (
          <Button size="small" onClick={() => setIsChangingAll(true)}>
            Change all…
          </Button>
        )}
      </PageHeader>
      <Toolbar search={search} change={change} vocabulary={vocabulary} inputRef={searchInput} />
      {pages.error !== null && <ErrorMessage error={pages.error} retry={pages.refetch} />}
      {pages.error === null && pages.total === undefined && (
        <Surface className="">
          <Skeleton name="users" lines={16} />
        </Surface>
      )}
      {pages.total === 0 && <NoMatch clear={() => change(NO_FILTERS)} />}
      {pages.total !== undefined && pages.total > 0 && (
        <div className={peeked === '' ? 'users-page__list' : 'users-page__list users-page__list--peek'}>
          <div className="users-page__table">
            {pages.pendingCount > 0 && (
              <button type="button" className="pending-users" onClick={pages.showPending}>
                Show {pluralize(pages.pendingCount, 'new user')}
              </button>
            )}
            <UserTable
              total={pages.total}
              rowAt={pages.rowAt}
              columns={columns}
              search={search}
              vocabulary={vocabulary}
              tableRef={table}
              peeked={peeked}
              peek={setPeeked}
              onRange={onRange}
            />
          </div>
          {peeked !== '' && <PeekPane key={peeked} user={peeked} vocabulary={vocabulary} close={closePeek} />}
        </div>
      )}
      {isChangingAll && <BulkDialog search={search} close={() => setIsChangingAll(false)} />}
    </Page>
  )
}

function countText(total: number, all: number | undefined): string {
  return all === undefined || total === all ? pluralize(total, 'user') : `${pluralize(total, 'user')} of ${all}`
}

/** Whether the focus is in the table, or the page is scrolled into it. */
function isBeingRead(table: HTMLElement | null): boolean {
  return table !== null && (table.contains(document.activeElement) || table.getBoundingClientRect().top < 0)
}

function NoMatch({ clear }: { clear(): void }): ReactElement {
  return (
    <EmptyState title="No matching users">
      <p>No user matches all filters.</p>
      <Button onClick={clear}>Clear filters</Button>
    </EmptyState>
  )
}
