import './instances-page.css'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { Link } from 'wouter'
import { callApi } from '../../api/client.ts'
import { answerStatsQuery, instancesQuery, overviewQuery, runtimesQuery } from '../../api/queries.ts'
import type { ActiveRuntime, AnswerStats } from '../../api/wire.ts'
import { userPath } from '../../browser/location.ts'
import { Button } from '../../components/button.tsx'
import { Card } from '../../components/card.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { DescriptionItem, DescriptionList } from '../../components/description-list.tsx'
import { FormDialog } from '../../components/dialog.tsx'
import { announce } from '../../components/live-region.tsx'
import { ProgressBar } from '../../components/progress-bar.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { formatBytes, formatInteger, formatPercent, pluralize } from '../../format-number.ts'
import { Page, PageHeader, usePageTitle } from '../../layout/page.tsx'
import { useCan } from '../../layout/session.ts'
import { formatDuration } from '../../time/format-time.ts'

/** The processes on the store, the answer cache and the live runtimes. */
export function InstancesPage(): ReactElement {
  const server = useQuery(overviewQuery).data?.server
  usePageTitle('Instances')
  return (
    <Page>
      <PageHeader
        title="Instances"
        lead={
          server && (
            <>
              Purser {server.version}, started <RelativeTime at={server.startedAt} /> · namespace {server.namespace} ·
              store {server.store.name} <span className="mono">{server.store.location}</span>
            </>
          )
        }
      />
      <InstancesCard />
      <AnswersCard />
      <RuntimesCard />
    </Page>
  )
}

const INSTANCE_COLUMNS = [
  { name: 'Instance' },
  { name: 'Version' },
  { name: 'Started' },
  { name: 'Seen' },
  { name: 'Runtimes', isNumeric: true },
  { name: 'Answers', isNumeric: true },
  { name: 'From the cache', isNumeric: true },
] as const

/** Every process on the store. One that was not closed disappears a few seconds after its last heartbeat. */
function InstancesCard(): ReactElement {
  const instances = useQuery(instancesQuery)
  return (
    <Card title="Processes on the store" id="instances">
      <QueryResult query={instances} name="instances">
        {({ data }) => (
          <ScrollArea label="Processes on the store">
            <DataTable label="Processes on the store" columns={INSTANCE_COLUMNS}>
              {data.map(({ id, version, startedAt, seenAt, runtimes, answers }) => (
                <tr key={id}>
                  <th scope="row" className="mono">
                    {id.slice(0, 8)}
                  </th>
                  <td>{version}</td>
                  <td>
                    <RelativeTime at={startedAt} />
                  </td>
                  <td>
                    <RelativeTime at={seenAt} />
                  </td>
                  <td className="data-table__number">{formatInteger(runtimes)}</td>
                  <td className="data-table__number">{formatInteger(answers.entries)}</td>
                  <td className="data-table__number">{hitRatio(answers)}</td>
                </tr>
              ))}
            </DataTable>
          </ScrollArea>
        )}
      </QueryResult>
    </Card>
  )
}

function hitRatio({ hits, joined, misses }: AnswerStats): string {
  const lookups = hits + joined + misses
  return lookups === 0 ? '–' : formatPercent((hits + joined) / lookups)
}

function AnswersCard(): ReactElement {
  const stats = useQuery(answerStatsQuery)
  const canClear = useCan('admin')
  const [isConfirming, setIsConfirming] = useState(false)
  return (
    <Card
      title="Answer cache"
      id="answers"
      aside={canClear && <Button onClick={() => setIsConfirming(true)}>Clear…</Button>}
    >
      <QueryResult query={stats} name="answers">
        {(data) => <AnswerFigures stats={data} />}
      </QueryResult>
      {isConfirming && <ClearAnswersDialog close={() => setIsConfirming(false)} />}
    </Card>
  )
}

function ClearAnswersDialog({ close }: { close(): void }): ReactElement {
  const queryClient = useQueryClient()
  const clear = useMutation({
    mutationFn: () => callApi('DELETE /api/answers'),
    onSuccess() {
      void queryClient.invalidateQueries({ queryKey: answerStatsQuery.queryKey })
      announce('Answer cache cleared.')
    },
  })
  return (
    <FormDialog
      title="Clear the answer cache?"
      lead="Deletes the cached answers of all users. The next equal requests call the model again."
      submitLabel="Clear the cache"
      isDangerous
      mutation={clear}
      submit={() => clear.mutate(undefined, { onSuccess: close })}
      close={close}
    />
  )
}

function AnswerFigures({ stats }: { stats: AnswerStats }): ReactElement {
  const lookups = stats.hits + stats.joined + stats.misses
  const saved = stats.hits + stats.joined
  return (
    <>
      <DescriptionList variant="grid">
        <DescriptionItem name="Model calls saved">
          {lookups === 0 ? 'no lookups yet' : `${Math.round((saved / lookups) * 100)} % of ${formatInteger(lookups)}`}
        </DescriptionItem>
        <DescriptionItem name="Hits">{formatInteger(stats.hits)}</DescriptionItem>
        <DescriptionItem name="Joined">{formatInteger(stats.joined)}</DescriptionItem>
        <DescriptionItem name="Misses">{formatInteger(stats.misses)}</DescriptionItem>
        <DescriptionItem name="Evictions">{formatInteger(stats.evictions)}</DescriptionItem>
        <DescriptionItem name="TTL">{stats.ttlMs === null ? 'no limit' : formatDuration(stats.ttlMs)}</DescriptionItem>
      </DescriptionList>
      <div className="limits">
        <Limit name="Entries" value={stats.entries} max={stats.maxEntries} format={formatInteger} />
        <Limit name="Size" value={stats.bytes} max={stats.maxBytes} format={formatBytes} />
      </div>
    </>
  )
}

/** A value against its limit; `max` of null means no limit. */
function Limit(props: {
  name: string
  value: number
  max: number | null
  format(value: number): string
}): ReactElement {
  const { name, value, max, format } = props
  return (
    <div className="limits__item">
      <span className="muted">{name}</span>
      <ProgressBar value={max === null || max === 0 ? 0 : Math.min(1, value / max)} />
      <span className="tabular-nums">
        {format(value)}
        <span className="muted"> {max === null ? 'no limit' : `/ ${format(max)}`}</span>
      </span>
    </div>
  )
}

/** Of all runtimes; the others are shown on request. */
const SHOWN_RUNTIMES = 20

const RUNTIME_COLUMNS = [
  { name: 'User' },
  { name: 'Settings version', isNumeric: true },
  { name: 'In use', isNumeric: true },
  { name: 'Idle for', isNumeric: true },
  { name: 'Clients' },
] as const

function RuntimesCard(): ReactElement {
  const runtimes = useQuery(runtimesQuery)
  const count = runtimes.data?.data.length ?? 0
  const [isAllShown, setIsAllShown] = useState(false)
  return (
    <Card title="Live runtimes" id="runtimes" aside={<span className="muted">{pluralize(count, 'user')}</span>}>
      <QueryResult query={runtimes} name="runtimes">
        {({ data }) =>
          data.length === 0 ? (
            <p className="muted">No user has live clients. They open with the next chat request.</p>
          ) : (
            <>
              <ScrollArea label="Live runtimes">
                <DataTable columns={RUNTIME_COLUMNS}>
                  {(isAllShown ? data : data.slice(0, SHOWN_RUNTIMES)).map((runtime) => (
                    <RuntimeRow key={`${runtime.instance} ${runtime.user}`} runtime={runtime} />
                  ))}
                </DataTable>
              </ScrollArea>
              {!isAllShown && data.length > SHOWN_RUNTIMES && (
                <Button onClick={() => setIsAllShown(true)}>Show all {formatInteger(data.length)}</Button>
              )}
            </>
          )
        }
      </QueryResult>
    </Card>
  )
}

function RuntimeRow({ runtime }: { runtime: ActiveRuntime }): ReactElement {
  const { user, version, inUse, idleMs, clients } = runtime
  return (
    <tr>
      <th scope="row">
        <Link href={userPath(user)} className="runtime-link">
          <bdi>{user}</bdi>
        </Link>
      </th>
      <td className="data-table__number">v{version}</td>
      <td className="data-table__number">{formatInteger(inUse)}</td>
      <td className="data-table__number">{inUse > 0 ? '–' : formatDuration(idleMs)}</td>
      <td>
        {clients.map(({ kind, name, state }) => `${kind} ${name}${state === 'open' ? '' : ` (${state})`}`).join(', ')}
      </td>
    </tr>
  )
}
