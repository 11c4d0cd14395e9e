import './users-page.css'
import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useRef } from 'react'
import { overviewQuery, usersQuery } from '../../api/queries.ts'
import { buildVocabulary } from '../../api/vocabulary.ts'
import { moveFocus, useShortcuts } from '../../browser/keyboard.ts'
import { Button } from '../../components/button.tsx'
import { EmptyState } from '../../components/empty-state.tsx'
import { ErrorMessage } from '../../components/error-message.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { pluralize } from '../../format-number.ts'
import { Page, usePageTitle } from '../../layout/page.tsx'
import { FirstUser } from './first-user.tsx'
import { Toolbar } from './toolbar.tsx'
import { useStableList } from './use-stable-list.ts'
import { isFiltered, useUserSearch } from './user-search.ts'
import { USER_LINK, UserTable } from './user-table.tsx'
import { UsersOverview } from './users-overview.tsx'

/** All users, updated live. */
export function UsersPage(): ReactElement {
  const [search, change] = useUserSearch()
  const overview = useQuery(overviewQuery)
  const users = useQuery(usersQuery(search))
  const vocabulary = buildVocabulary(overview.data)
  const searchInput = useRef<HTMLInputElement>(null)
  const tableBody = useRef<HTMLTableSectionElement>(null)
  const list = useStableList(users.data?.data, `${JSON.stringify(search)} ${users.isPlaceholderData}`, tableBody)

  usePageTitle('Users')
  useShortcuts({
    '/': () => searchInput.current?.focus(),
    j: () => moveFocus(tableBody.current, USER_LINK, 1),
    k: () => moveFocus(tableBody.current, USER_LINK, -1),
  })

  if (overview.isError && overview.data === undefined) {
    return <ErrorMessage error={overview.error} retry={() => void overview.refetch()} />
  }
  if (overview.data?.users === 0 && !isFiltered(search)) return <FirstUser />
  return (
    <Page>
      <h1 className="sr-only">Users</h1>
      <QueryResult query={overview} name="the overview">
        {(data) => <UsersOverview overview={data} vocabulary={vocabulary} search={search} />}
      </QueryResult>
      <Toolbar search={search} change={change} vocabulary={vocabulary} inputRef={searchInput} />
      <QueryResult query={users} name="users" lines={8}>
        {({ cursor }) =>
          list.rows.length === 0 ? (
            <NoMatch clear={() => change({ q: '', phase: '', riskLevel: '', blocked: '' })} />
          ) : (
            <>
              {list.pendingCount > 0 && (
                <button type="button" className="pending-users" onClick={list.showPending}>
                  Show {pluralize(list.pendingCount, 'new user')}
                </button>
              )}
              <UserTable
                bonds={list.rows}
                search={search}
                vocabulary={vocabulary}
                bodyRef={tableBody}
                isBusy={users.isPlaceholderData}
              />
              <Pager
                nextCursor={cursor}
                isFirstPage={search.cursor === ''}
                count={list.rows.length}
                open={(next) => change({ cursor: next })}
              />
            </>
          )
        }
      </QueryResult>
    </Page>
  )
}

function NoMatch({ clear }: { clear(): void }): ReactElement {
  return (
    <EmptyState title="No matching users">
      <p>No user matches all filters.</p>
      <Button onClick={clear}>Clear filters</Button>
    </EmptyState>
  )
}

/** Buttons for the pages of the list; the number of users when there is only one page. */
function Pager(props: {
  nextCursor: string | null
  isFirstPage: boolean
  count: number
  open(cursor: string): void
}): ReactElement {
  const { nextCursor, isFirstPage, open } = props
  if (isFirstPage && nextCursor === null) return <p className="pager muted">{pluralize(props.count, 'user')}</p>
  function openNext(): void {
    if (nextCursor !== null) open(nextCursor)
    window.scrollTo({ top: 0 })
  }
  return (
    <nav className="pager" aria-label="Pages of users">
      <Button disabled={isFirstPage} onClick={() => open('')}>
        First page
      </Button>
      <Button disabled={isFirstPage} onClick={() => window.history.back()}>
        Previous
      </Button>
      <Button disabled={nextCursor === null} onClick={openNext}>
        Next
      </Button>
    </nav>
  )
}
