import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactElement, useEffect, useState } from 'react'
import { Link } from 'wouter'
import { apiUrl, call } from '../../api/client.ts'
import { answersQuery, overviewQuery, runtimesQuery } from '../../api/queries.ts'
import type { ActiveRuntime, AnswerStats } from '../../api/wire.ts'
import { userPath } from '../../browser/location.ts'
import { announce } from '../../components/announce.tsx'
import { Dialog } from '../../components/dialog.tsx'
import { Fact } from '../../components/fact.tsx'
import { Instant } from '../../components/instant.tsx'
import { Scroll } from '../../components/scroll-area.tsx'
import { Card, Failure, Waiting } from '../../components/states.tsx'
import { useMay } from '../../layout/session.ts'
import { bytes, duration, plural, whole } from '../../time/instants.ts'

/** The server itself, the answers it keeps and its live clients. */
export function ServicePage(): ReactElement {
  const overview = useQuery(overviewQuery)
  const server = overview.data?.server
  useEffect(() => {
    document.title = 'Service · Purser'
  }, [])
  return (
    <div className="page">
      <div className="page-head">
        <h1>Service</h1>
        {server !== undefined && (
          <p className="quiet">
            Purser {server.version}, started <Instant at={server.startedAt} /> · namespace {server.namespace} · store{' '}
            {server.store.name} <span className="mono">{server.store.location}</span>
          </p>
        )}
      </div>
      <Answers />
      <Runtimes />
    </div>
  )
}

function Answers(): ReactElement {
  const stats = useQuery(answersQuery)
  const mayClear = useMay('admin')
  const [asking, setAsking] = useState(false)
  const queries = useQueryClient()
  return (
    <Card
      title="Answers"
      id="answers"
      aside={
        mayClear && (
          <button type="button" className="button" onClick={() => setAsking(true)}>
            Forget all…
          </button>
        )
      }
    >
      {stats.isError && stats.data === undefined ? (
        <Failure error={stats.error} retry={() => void stats.refetch()} />
      ) : stats.data === undefined ? (
        <Waiting of="answers" />
      ) : (
        <AnswerFigures stats={stats.data} />
      )}
      {asking && (
        <Dialog
          title="Forget every kept answer?"
          lead="The next equal requests are computed anew. Nothing else is touched."
          confirm="Forget all"
          dangerous
          close={() => setAsking(false)}
          act={async () => {
            await call(apiUrl(['answers']), { method: 'DELETE' })
            await queries.invalidateQueries({ queryKey: answersQuery.queryKey })
            announce('All kept answers are forgotten.')
          }}
        />
      )}
    </Card>
  )
}

function AnswerFigures({ stats }: { stats: AnswerStats }): ReactElement {
  const asked = stats.hits + stats.joined + stats.misses
  const saved = stats.hits + stats.joined
  return (
    <>
      <dl className="facts wide">
        <Fact name="Saved">
          {asked === 0 ? 'no look-ups yet' : `${Math.round((saved / asked) * 100)} % of ${whole(asked)}`}
        </Fact>
        <Fact name="Hits">{whole(stats.hits)}</Fact>
        <Fact name="Joined">{whole(stats.joined)}</Fact>
        <Fact name="Misses">{whole(stats.misses)}</Fact>
        <Fact name="Evicted">{whole(stats.evictions)}</Fact>
        <Fact name="Kept for">{stats.ttlMs === null ? 'ever' : duration(stats.ttlMs)}</Fact>
      </dl>
      <div className="fills">
        <Fill name="Entries" value={stats.entries} limit={stats.maxEntries} told={whole} />
        <Fill name="Size" value={stats.bytes} limit={stats.maxBytes} told={bytes} />
      </div>
    </>
  )
}

function Fill(props: { name: string; value: number; limit: number | null; told(value: number): string }): ReactElement {
  const { name, value, limit, told } = props
  const fill = limit === null || limit === 0 ? 0 : Math.min(1, value / limit)
  return (
    <div className="fill">
      <span className="fill-name">{name}</span>
      <span className="bar" aria-hidden="true">
        <span className="bar-fill" style={{ '--fill': String(fill) } as Record<string, string>} />
      </span>
      <span className="figures">
        {told(value)}
        <span className="quiet"> {limit === null ? 'no limit' : `/ ${told(limit)}`}</span>
      </span>
    </div>
  )
}

function Runtimes(): ReactElement {
  const runtimes = useQuery(runtimesQuery)
  const rows = runtimes.data?.data ?? []
  return (
    <Card title="Live runtimes" id="runtimes" aside={<span className="quiet">{plural(rows.length, 'user')}</span>}>
      {runtimes.isError && runtimes.data === undefined ? (
        <Failure error={runtimes.error} retry={() => void runtimes.refetch()} />
      ) : runtimes.data === undefined ? (
        <Waiting of="runtimes" />
      ) : rows.length === 0 ? (
        <p className="quiet">No user has live clients right now. They open with the next chat request.</p>
      ) : (
        <Scroll label="Live runtimes">
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">User</th>
                <th scope="col" className="number">
                  Settings
                </th>
                <th scope="col" className="number">
                  In use
                </th>
                <th scope="col" className="number">
                  Idle for
                </th>
                <th scope="col">Clients</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((runtime) => (
                <RuntimeRow key={runtime.user} runtime={runtime} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Card>
  )
}

function RuntimeRow({ runtime }: { runtime: ActiveRuntime }): ReactElement {
  return (
    <tr>
      <th scope="row">
        <Link href={userPath(runtime.user)} className="user-link">
          <bdi>{runtime.user}</bdi>
        </Link>
      </th>
      <td className="number">v{runtime.version}</td>
      <td className="number">{whole(runtime.inUse)}</td>
      <td className="number">{runtime.inUse > 0 ? '–' : duration(runtime.idleMs)}</td>
      <td>
        {runtime.clients
          .map(({ kind, name, state }) => `${kind} ${name}${state === 'open' ? '' : ` (${state})`}`)
          .join(', ')}
      </td>
    </tr>
  )
}
