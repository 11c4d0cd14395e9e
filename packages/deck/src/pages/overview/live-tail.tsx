import './live-tail.css'
import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { Link } from 'wouter'
import { detailOf, isNamedActor, labelOf } from '../../api/event-labels.ts'
import { addToTail, useTail } from '../../api/event-tail.ts'
import { latestEventsQuery } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Event } from '../../api/wire.ts'
import { userPath } from '../../browser/location.ts'
import { Button } from '../../components/button.tsx'
import { announce } from '../../components/live-region.tsx'
import { PhaseTag, RiskTag } from '../../components/tags.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { pluralize } from '../../format-number.ts'
import { useZone } from '../../time/clock.ts'
import { formatInstantsIn } from '../../time/format-time.ts'

/** All events as they happen. Scrolling down pauses it: then it says how many are waiting. */
export function LiveTail({ vocabulary }: { vocabulary: Vocabulary }): ReactElement {
  const latest = useQuery(latestEventsQuery).data
  useEffect(() => addToTail(latest?.data ?? []), [latest])
  const events = useTail()
  const [paused, setPaused] = useState<readonly Event[] | null>(null)
  const list = useRef<HTMLOListElement>(null)
  const shown = paused ?? events
  const waiting = paused === null ? 0 : events.findIndex(({ id }) => id === paused[0]?.id)
  const waitingCount = waiting < 0 ? events.length : waiting

  function onScroll(): void {
    const isAtTop = (list.current?.scrollTop ?? 0) < 8
    if (isAtTop) setPaused(null)
    else setPaused((before) => before ?? events)
  }

  function resume(): void {
    setPaused(null)
    list.current?.scrollTo({ top: 0 })
  }

  useEffect(() => {
    if (waitingCount > 0) announce(`${pluralize(waitingCount, 'new event')}.`)
  }, [waitingCount])

  return (
    <section className="card tail" aria-labelledby="tail">
      <div className="card__header">
        <h2 id="tail">Live</h2>
        {paused === null ? (
          <span className="muted small">as it happens</span>
        ) : (
          <Button size="small" onClick={resume}>
            {waitingCount === 0 ? 'Resume' : `${pluralize(waitingCount, 'new event')}, resume`}
          </Button>
        )}
      </div>
      {shown.length === 0 && <p className="muted">Events appear here when something changes.</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable area must be reachable with the keyboard */}
      <ol className="tail__list" ref={list} onScroll={onScroll} tabIndex={0} aria-label="Latest events">
        {shown.map((event) => (
          <TailItem key={event.id} event={event} vocabulary={vocabulary} />
        ))}
      </ol>
    </section>
  )
}

function TailItem({ event, vocabulary }: { event: Event; vocabulary: Vocabulary }): ReactElement {
  const zone = useZone()
  const { type, data, user } = event
  const to = typeof data.to === 'string' ? data.to : undefined
  return (
    <li className="tail__item">
      <span className="tail__head">
        {user === '' ? (
          <span className="tail__actor">{event.actor ?? 'Purser'}</span>
        ) : (
          <Link href={userPath(user)} className="tail__user">
            <bdi>{user}</bdi>
          </Link>
        )}
        <span className="muted small">
          <RelativeTime at={event.at} />
        </span>
      </span>
      <span className="tail__text">
        {labelOf(event).name}{' '}
        {to !== undefined && type === 'risk_change' ? (
          <RiskTag level={to} vocabulary={vocabulary} />
        ) : to !== undefined && type === 'phase_transition' ? (
          <PhaseTag phase={to} vocabulary={vocabulary} />
        ) : (
          <span className="muted">{formatInstantsIn(detailOf(event), zone)}</span>
        )}
        {user !== '' && isNamedActor(event) && <span className="muted"> by {event.actor}</span>}
      </span>
    </li>
  )
}
