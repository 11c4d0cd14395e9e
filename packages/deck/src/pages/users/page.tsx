import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useEffect, useRef } from 'react'
import { overviewQuery, usersQuery } from '../../api/queries.ts'
import { vocabularyOf } from '../../api/vocabulary.ts'
import { stepFocus, useKeys } from '../../browser/keyboard.ts'
import { Empty, Failure, Waiting } from '../../components/states.tsx'
import { plural } from '../../time/instants.ts'
import { FirstUser } from './first-user.tsx'
import { OverviewStrip } from './overview.tsx'
import { isNarrowed, useUserSearch } from './search.ts'
import { UserTable } from './table.tsx'
import { Toolbar } from './toolbar.tsx'
import { useCalmList } from './use-stable-list.ts'

/** Everybody, live. */
export function UsersPage(): ReactElement {
  const [search, change] = useUserSearch()
  const overview = useQuery(overviewQuery)
  const users = useQuery(usersQuery(search))
  const vocabulary = vocabularyOf(overview.data)
  const field = useRef<HTMLInputElement>(null)
  const table = useRef<HTMLTableSectionElement>(null)
  const list = useCalmList(users.data?.data, `${JSON.stringify(search)} ${users.isPlaceholderData}`, table)

  useEffect(() => {
    document.title = 'Users · Purser'
  }, [])
  useKeys({
    '/': () => field.current?.focus(),
    j: () => stepFocus(table.current, 'a.user-link', 1),
    k: () => stepFocus(table.current, 'a.user-link', -1),
  })

  if (overview.isError && overview.data === undefined) {
    return <Failure error={overview.error} retry={() => void overview.refetch()} />
  }
  if (overview.data !== undefined && overview.data.users === 0 && !isNarrowed(search)) return <FirstUser />
  return (
    <div className="page">
      <h1 className="unseen">Users</h1>
      {overview.data === undefined ? (
        <Waiting of="the overview" />
      ) : (
        <OverviewStrip overview={overview.data} vocabulary={vocabulary} search={search} />
      )}
      <Toolbar search={search} change={change} vocabulary={vocabulary} field={field} />
      {users.isError && users.data === undefined ? (
        <Failure error={users.error} retry={() => void users.refetch()} />
      ) : users.data === undefined ? (
        <Waiting of="users" lines={8} />
      ) : list.rows.length === 0 ? (
        <NoMatch clear={() => change({ q: '', phase: '', riskLevel: '', blocked: '' })} />
      ) : (
        <>
          {list.waiting > 0 && (
            <button type="button" className="newer" onClick={list.release}>
              Show {plural(list.waiting, 'newer user')}
            </button>
          )}
          <UserTable
            bonds={list.rows}
            search={search}
            vocabulary={vocabulary}
            body={table}
            busy={users.isPlaceholderData}
          />
          <Pager
            cursor={users.data.cursor}
            first={search.cursor === ''}
            shown={list.rows.length}
            go={(cursor) => change({ cursor })}
          />
        </>
      )}
    </div>
  )
}

function NoMatch({ clear }: { clear(): void }): ReactElement {
  return (
    <Empty title="Nobody matches">
      <p>No user fits all of these filters.</p>
      <button type="button" className="button" onClick={clear}>
        Clear the filters
      </button>
    </Empty>
  )
}

function Pager(props: {
  cursor: string | null
  first: boolean
  shown: number
  go(cursor: string): void
}): ReactElement | null {
  const { cursor } = props
  if (props.first && cursor === null) return <p className="pager quiet">{plural(props.shown, 'user')}</p>
  return (
    <nav className="pager" aria-label="Pages of users">
      <button type="button" className="button" disabled={props.first} onClick={() => props.go('')}>
        First page
      </button>
      <button type="button" className="button" disabled={props.first} onClick={() => window.history.back()}>
        Previous
      </button>
      <button
        type="button"
        className="button"
        disabled={cursor === null}
        onClick={() => {
          if (cursor !== null) props.go(cursor)
          window.scrollTo({ top: 0 })
        }}
      >
        Next
      </button>
    </nav>
  )
}
