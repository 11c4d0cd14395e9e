import './audit-page.css'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import { apiUrl } from '../../api/client.ts'
import { detailOf, LIMIT_CHANGES, labelOf } from '../../api/event-labels.ts'
import { type AuditFilter, auditQuery } from '../../api/queries.ts'
import type { Event } from '../../api/wire.ts'
import { userPath } from '../../browser/location.ts'
import { useIsNarrow } from '../../browser/use-is-narrow.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { Surface } from '../../components/card.tsx'
import { DelayedInput } from '../../components/delayed-input.tsx'
import { EmptyState } from '../../components/empty-state.tsx'
import { FilterBar } from '../../components/filter-bar.tsx'
import { ListActions } from '../../components/list-actions.tsx'
import { LoadOlder, PagedTable } from '../../components/paged-table.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { LabeledSelect } from '../../components/select.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { Page, PageHeader, usePageTitle } from '../../layout/page.tsx'
import { useZone } from '../../time/clock.ts'
import { formatInstantsIn } from '../../time/format-time.ts'

const ACTIONS = [
  ['', 'all changes'],
  [LIMIT_CHANGES, 'limits and plans'],
  ['cap', 'daily cap'],
  ['limit_change', 'other limits'],
  ['plan_change', 'plan'],
  ['block,unblock', 'blocks'],
  ['correct', 'correction'],
  ['note', 'note'],
  ['user_erased', 'erasure'],
  ['key_created', 'key created'],
  ['key_revoked', 'key revoked'],
  ['signed_in', 'sign-in'],
  ['api_call', 'other API calls'],
] as const

const COLUMNS = [
  { name: 'When' },
  { name: 'Who' },
  { name: 'What' },
  { name: 'User' },
  { name: 'Why' },
  { name: 'Through' },
] as const

const EXPORT_COLUMNS = [
  { name: 'at', valueOf: (event: Event) => event.at },
  { name: 'actor', valueOf: (event: Event) => event.actor },
  { name: 'action', valueOf: actionOf },
  { name: 'detail', valueOf: (event: Event) => event.detail },
  { name: 'user', valueOf: (event: Event) => event.user },
  { name: 'reason', valueOf: (event: Event) => event.reason },
  { name: 'origin', valueOf: originOf },
]

/** Every change made through the API and by operators: who, what, why and from where. */
export function AuditPage(): ReactElement {
  const [actor, setActor] = useSearchParam('actor')
  const [action, setAction] = useSearchParam('action')
  const [user, setUser] = useSearchParam('user')
  const isNarrow = useIsNarrow()
  const filter: AuditFilter = { actor, action, user }
  const log = useInfiniteQuery(auditQuery(filter))
  const events = log.data?.pages.flatMap(({ data }) => data) ?? []
  usePageTitle('Audit')
  return (
    <Page>
      <PageHeader title="Audit" lead="Every change made by people and through the API, newest first.">
        <ListActions
          name="audit"
          rows={events}
          columns={EXPORT_COLUMNS}
          url={apiUrl('/api/audit', {}, { ...filter, limit: 50 })}
        />
      </PageHeader>
      <FilterBar>
        <LabeledSelect label="Show" value={action} options={ACTIONS} isActive={action !== ''} onChange={setAction} />
        <DelayedInput label="Who" placeholder="Who" value={actor} onChange={setActor} />
        <DelayedInput label="User" placeholder="User id" value={user} onChange={setUser} />
      </FilterBar>
      <QueryResult query={log} name="the audit log" lines={16} shape="card">
        {() =>
          events.length === 0 && !log.hasNextPage ? (
            <NoEvents isFiltered={actor !== '' || action !== '' || user !== ''} />
          ) : (
            <Surface className="audit-page__card">
              {isNarrow ? (
                <div className="paged-table">
                  <AuditList events={events} />
                  <LoadOlder label="Changes" log={log} />
                </div>
              ) : (
                <PagedTable label="Changes" columns={COLUMNS} log={log}>
                  {events.map((event) => (
                    <AuditRow key={event.id} event={event} />
                  ))}
                </PagedTable>
              )}
            </Surface>
          )
        }
      </QueryResult>
    </Page>
  )
}

function NoEvents({ isFiltered }: { isFiltered: boolean }): ReactElement {
  return isFiltered ? (
    <EmptyState title="No matching changes">
      <p>No change matches all filters. Remove one of them.</p>
    </EmptyState>
  ) : (
    <EmptyState title="No changes yet">
      <p>What operators and applications change appears here, with who did it and why.</p>
    </EmptyState>
  )
}

/** The changes on a narrow page, one card each. */
function AuditList({ events }: { events: readonly Event[] }): ReactElement {
  return (
    <ol className="audit-list" aria-label="Changes">
      {events.map((event) => (
        <li key={event.id} className="audit-list__item">
          <span className="audit-list__head">
            <strong>{event.actor ?? 'app'}</strong>
            <span className="muted small">
              <RelativeTime at={event.at} />
            </span>
          </span>
          <span>
            <ChangeText event={event} />
          </span>
          {event.user !== '' && <UserLink user={event.user} />}
          {event.reason !== undefined && <span className="audit-list__why">“{event.reason}”</span>}
        </li>
      ))}
    </ol>
  )
}

function ChangeText({ event }: { event: Event }): ReactElement {
  const detail = formatInstantsIn(detailOf(event), useZone())
  return (
    <>
      <span className="audit-page__action">{labelOf(event).name}</span>
      {detail !== '' && <span className="muted"> {detail}</span>}
    </>
  )
}

function UserLink({ user }: { user: string }): ReactElement {
  return (
    <Link href={userPath(user)} className="audit-page__user" title={user}>
      <bdi>{user}</bdi>
    </Link>
  )
}

function AuditRow({ event }: { event: Event }): ReactElement {
  return (
    <tr>
      <td className="audit-page__when">
        <RelativeTime at={event.at} />
      </td>
      <th scope="row" className="audit-page__who">
        {event.actor ?? 'app'}
      </th>
      <td>
        <ChangeText event={event} />
      </td>
      <td>{event.user === '' ? <span className="muted">–</span> : <UserLink user={event.user} />}</td>
      <td className="audit-page__why">{event.reason ?? <span className="muted">–</span>}</td>
      <td className="muted">{ORIGIN_NAMES[originOf(event)] ?? originOf(event)}</td>
    </tr>
  )
}

/** What a change came through, in words. */
const ORIGIN_NAMES: Readonly<Record<string, string>> = {
  library: 'application code',
  deck: 'this Deck',
  api: 'the API',
  host: 'a host',
  command: 'the command line',
}

function actionOf({ type, data }: Event): string {
  return typeof data.action === 'string' && data.action !== '' ? data.action : type
}

function originOf({ data }: Event): string {
  return typeof data.origin === 'string' ? data.origin : 'library'
}
