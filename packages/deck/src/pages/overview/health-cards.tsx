import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import { instancesQuery, latencyQuery, overviewQuery, webhooksQuery } from '../../api/queries.ts'
import type { Instance, Latency } from '../../api/wire.ts'
import { Card } from '../../components/card.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { DescriptionItem, DescriptionList } from '../../components/description-list.tsx'
import { type Query, QueryResult } from '../../components/query-result.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { WebhookState } from '../../components/webhook-state.tsx'
import { formatInteger, formatPercent, pluralize } from '../../format-number.ts'
import { useCan } from '../../layout/session.ts'
import { formatMilliseconds } from '../../time/format-time.ts'

/** Own overhead against the time of the upstreams, caches, and the processes on the store. */
export function HealthCards(): ReactElement {
  const latency = useQuery(latencyQuery)
  const isAdmin = useCan('admin')
  return (
    <div className="overview__pair">
      <Card title="Time of turns, last 24 hours" id="latency">
        <QueryResult query={latency} name="latencies" lines={4}>
          {(data) => <LatencyTable latency={data} />}
        </QueryResult>
      </Card>
      <div className="overview__stack">
        <Card title="Health" id="health" aside={<Link href="/instances">Instances</Link>}>
          <HealthList latency={latency} />
        </Card>
        {isAdmin && <WebhooksCard />}
      </div>
    </div>
  )
}

/** The webhooks and whether they deliver, those that fail first. */
function WebhooksCard(): ReactElement {
  const webhooks = useQuery(webhooksQuery)
  return (
    <Card title="Webhooks" id="webhooks" aside={<Link href="/settings">Settings</Link>}>
      <QueryResult query={webhooks} name="webhooks" lines={1}>
        {({ data }) =>
          data.length === 0 ? (
            <p className="muted">No webhook is set up.</p>
          ) : (
            <ul className="overview__webhooks">
              {data
                .toSorted((a, b) => Number(b.isFailing) - Number(a.isFailing))
                .slice(0, SHOWN_WEBHOOKS)
                .map((webhook) => (
                  <li key={webhook.id}>
                    <span className="overview__address">{webhook.url}</span>
                    <span>
                      <WebhookState webhook={webhook} />
                    </span>
                  </li>
                ))}
              {data.length > SHOWN_WEBHOOKS && (
                <li className="muted small">{pluralize(data.length - SHOWN_WEBHOOKS, 'further webhook')}</li>
              )}
            </ul>
          )
        }
      </QueryResult>
    </Card>
  )
}

const SHOWN_WEBHOOKS = 4

const ROWS = [
  ['overheadMs', 'Purser’s own'],
  ['firstChunkMs', 'To the first chunk'],
  ['upstreamMs', 'Upstream'],
  ['totalMs', 'Total'],
] as const

function LatencyTable({ latency }: { latency: Latency }): ReactElement {
  if (latency.turns === 0) return <p className="muted">No turns in the last 24 hours.</p>
  return (
    <>
      <DataTable
        label="Time of turns"
        compact
        columns={[
          { name: 'Part' },
          { name: 'Median', isNumeric: true },
          { name: '95 %', isNumeric: true },
          { name: '99 %', isNumeric: true },
        ]}
      >
        {ROWS.map(([field, name]) => (
          <tr key={field}>
            <th scope="row">{name}</th>
            <td className="data-table__number">{formatMilliseconds(latency[field].p50)}</td>
            <td className="data-table__number">{formatMilliseconds(latency[field].p95)}</td>
            <td className="data-table__number">{formatMilliseconds(latency[field].p99)}</td>
          </tr>
        ))}
      </DataTable>
      <p className="muted small">
        {latency.complete ? 'All' : 'The newest'} {pluralize(latency.turns, 'turn')}.
      </p>
    </>
  )
}

function HealthList({ latency }: { latency: Query<Latency> }): ReactElement {
  const instances = useQuery(instancesQuery)
  const overview = useQuery(overviewQuery)
  return (
    <DescriptionList>
      <DescriptionItem name="Instances">
        <QueryResult query={instances} name="instances" shape="words">
          {({ data }) => <InstancesText seenAt={data.map(({ seenAt }) => seenAt)} />}
        </QueryResult>
      </DescriptionItem>
      <DescriptionItem name="Store">
        <QueryResult query={overview} name="the store" shape="words">
          {({ server: { store } }) => `${store.name}, ${store.durable ? 'durable' : 'in memory only'}`}
        </QueryResult>
      </DescriptionItem>
      <DescriptionItem name="Answers">
        <QueryResult query={instances} name="answers" shape="words">
          {({ data }) => answersText(data.map(({ answers }) => answers))}
        </QueryResult>
      </DescriptionItem>
      <DescriptionItem name="Context">
        <QueryResult query={latency} name="the context" shape="words">
          {({ turns, context }) => (turns === 0 ? 'no turns yet' : contextText(context))}
        </QueryResult>
      </DescriptionItem>
    </DescriptionList>
  )
}

function InstancesText({ seenAt }: { seenAt: readonly string[] }): ReactElement {
  const oldest = seenAt.toSorted()[0]
  return (
    <>
      {pluralize(seenAt.length, 'instance')}
      {oldest !== undefined && (
        <span className="muted">
          , all seen since <RelativeTime at={oldest} />
        </span>
      )}
    </>
  )
}

function answersText(all: readonly Instance['answers'][]): string {
  const add = (pick: (answers: Instance['answers']) => number): number => all.reduce((sum, one) => sum + pick(one), 0)
  const [hits, misses] = [add((one) => one.hits + one.joined), add((one) => one.misses)]
  const failures = add((one) => one.failures)
  const share = hits + misses === 0 ? 'no lookups yet' : `${formatPercent(hits / (hits + misses))} from the cache`
  return failures === 0 ? share : `${share}, ${pluralize(failures, 'failed call')}`
}

/** The share of sections by status, as told to models. */
function contextText(context: Latency['context']): string {
  const entries = Object.entries(context).filter(([, count]) => count > 0)
  const all = entries.reduce((sum, [, count]) => sum + count, 0)
  if (all === 0) return 'nothing was told'
  return (
    entries.map(([status, count]) => `${formatPercent(count / all)} ${status}`).join(', ') +
    ` of ${formatInteger(all)} sections`
  )
}
