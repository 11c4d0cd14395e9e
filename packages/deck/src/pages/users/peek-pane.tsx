import './peek-pane.css'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { type ReactElement, useLayoutEffect } from 'react'
import { Link, useLocation } from 'wouter'
import { detailOf, labelOf } from '../../api/event-labels.ts'
import { formatLimitAmount, limitName } from '../../api/limit-names.ts'
import { bondQuery, eventsQuery, limitsQuery } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { useShortcuts } from '../../browser/keyboard.ts'
import { userPath } from '../../browser/location.ts'
import { BlockSentence } from '../../components/block-sentence.tsx'
import { Button } from '../../components/button.tsx'
import { LimitMeter } from '../../components/limit-usage.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { Skeleton } from '../../components/skeleton.tsx'
import { StateSentence } from '../../components/state-sentence.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { useZone } from '../../time/clock.ts'
import { formatInstantsIn } from '../../time/format-time.ts'

const SHOWN_EVENTS = 8

/** A user beside the list: state, limits and latest events. */
export function PeekPane(props: { user: string; vocabulary: Vocabulary; close(): void }): ReactElement {
  const { user, close } = props
  const bond = useQuery(bondQuery(user))
  const [, navigate] = useLocation()
  useShortcuts({ o: () => navigate(userPath(user)) })
  useLayoutEffect(() => {
    function onKeyDown(event: globalThis.KeyboardEvent): void {
      if (event.key === 'Escape' && document.querySelector('dialog[open], :popover-open') === null) close()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [close])
  return (
    <aside className="peek card" aria-label={`Preview of ${user}`}>
      <header className="peek__header">
        <h2 title={user}>
          <bdi>{user}</bdi>
        </h2>
        <Link href={userPath(user)} className="button button--small">
          Open
        </Link>
        <Button size="small" onClick={close}>
          Close
        </Button>
      </header>
      <QueryResult query={bond} name={user} lines={6}>
        {(data) => <PeekContent bond={data} vocabulary={props.vocabulary} />}
      </QueryResult>
    </aside>
  )
}

function PeekContent({ bond, vocabulary }: { bond: Bond; vocabulary: Vocabulary }): ReactElement {
  const limits = useQuery(limitsQuery(bond.user))
  const log = useInfiniteQuery(eventsQuery(bond.user))
  const zone = useZone(bond.timeZone)
  const events = log.data?.pages[0]?.data.slice(0, SHOWN_EVENTS) ?? []
  const riskSince = events.find(({ type }) => type === 'risk_change')?.at ?? null
  return (
    <>
      <div>
        <StateSentence bond={bond} vocabulary={vocabulary} riskSince={riskSince} />
        {bond.blocked !== null && (
          <p className="peek__block">
            <BlockSentence block={bond.blocked} timeZone={bond.timeZone} />
          </p>
        )}
      </div>
      <ul className="peek__limits">
        {limits.data?.data
          .filter(({ max }) => max !== null)
          .map((limit) => (
            <li key={limit.name}>
              <span>{limitName(limit.name)}</span>
              <span className="tabular-nums muted">
                {formatLimitAmount(limit, limit.used)} of {formatLimitAmount(limit, limit.max ?? 0)}
              </span>
              <LimitMeter limit={limit} />
            </li>
          ))}
      </ul>
      <div>
        <h3>Latest events</h3>
        {log.isPending && <Skeleton name="events" lines={4} />}
        <ol className="peek__events">
          {events.map((event) => (
            <li key={event.id}>
              <span className="muted small">
                <RelativeTime at={event.at} zone={bond.timeZone} />
              </span>
              <span>
                <strong>{labelOf(event).name}</strong> {formatInstantsIn(detailOf(event), zone)}
              </span>
            </li>
          ))}
        </ol>
        {log.isSuccess && events.length === 0 && <p className="muted">No events yet.</p>}
      </div>
    </>
  )
}
