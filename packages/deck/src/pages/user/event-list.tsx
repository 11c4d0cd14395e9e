import './event-list.css'
import { type ReactElement, useEffect, useRef } from 'react'
import { detailOf, EVENT_FILTERS, isNamedActor, labelOf } from '../../api/event-labels.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Event } from '../../api/wire.ts'
import { moveFocus, useShortcuts } from '../../browser/keyboard.ts'
import { Button } from '../../components/button.tsx'
import { DescriptionItem, DescriptionList } from '../../components/description-list.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { LabeledSelect } from '../../components/select.tsx'
import { PhaseTag, RiskTag } from '../../components/tags.tsx'
import { useNow, useZone } from '../../time/clock.ts'
import {
  formatDay,
  formatInstant,
  formatInstantsIn,
  formatRelative,
  formatTime,
  type Zone,
} from '../../time/format-time.ts'
import { EventMarker } from './event-marker.tsx'
import { PanelToolbar } from './panel-toolbar.tsx'

const FILTERS = [
  ['', 'all events'],
  ...EVENT_FILTERS.map(({ types, name }) => [types, name.toLowerCase()] as const),
] as const

export interface EventListProps {
  /** The types that are shown; '' for all. */
  readonly types: string
  setTypes(types: string): void
  /** Newest first. */
  readonly events: readonly Event[]
  readonly timeZone: string
  readonly vocabulary: Vocabulary
  /** Sequence of the event to open and scroll to. */
  readonly openSequence: number | null
  /** Whether nothing is filtered. */
  readonly isWhole: boolean
  /** Absent when all events are loaded. */
  readonly loadMore: (() => void) | undefined
  readonly isLoadingMore: boolean
}

/** The event log of a user, grouped by day, with a filter. */
export function EventList(props: EventListProps): ReactElement {
  const { events, openSequence } = props
  const zone = useZone(props.timeZone)
  const list = useRef<HTMLDivElement>(null)
  useShortcuts({
    j: () => moveFocus(list.current, '.event > summary', 1),
    k: () => moveFocus(list.current, '.event > summary', -1),
  })
  const isListed = events.some(({ sequence }) => sequence === openSequence)
  useEffect(() => {
    if (!isListed) return
    const entry = list.current?.querySelector<HTMLDetailsElement>(`[data-sequence="${openSequence}"]`)
    if (entry === null || entry === undefined) return
    entry.open = true
    entry.querySelector('summary')?.focus()
    entry.scrollIntoView({ block: 'center' })
  }, [openSequence, isListed])

  return (
    <div ref={list}>
      <PanelToolbar>
        <LabeledSelect label="Show" value={props.types} options={FILTERS} onChange={props.setTypes} />
        <span className="muted small">Times in {zone.label}</span>
      </PanelToolbar>
      {events.length === 0 && <p className="muted">{props.isWhole ? 'No events yet.' : 'No event matches.'}</p>}
      {groupByDay(events, zone).map(([day, eventsOfDay]) => (
        <section key={day} className="event-day" aria-label={day}>
          <h3>{day}</h3>
          <ol>
            {eventsOfDay.map((event) => (
              <li key={event.sequence} className="event-day__item">
                <EventEntry event={event} zone={zone} vocabulary={props.vocabulary} />
              </li>
            ))}
          </ol>
        </section>
      ))}
      {props.loadMore !== undefined && (
        <Button onClick={props.loadMore} disabled={props.isLoadingMore}>
          {props.isLoadingMore ? 'Loading…' : 'Load older events'}
        </Button>
      )}
    </div>
  )
}

function groupByDay(events: readonly Event[], zone: Zone): readonly (readonly [string, readonly Event[]])[] {
  return [...Map.groupBy(events, ({ at }) => formatDay(at, zone))]
}

/** One event: a summary line that opens to all fields. */
function EventEntry(props: { event: Event; zone: Zone; vocabulary: Vocabulary }): ReactElement {
  const { event, zone } = props
  const now = useNow()
  const { name, kind } = labelOf(event)
  return (
    <details className="event" data-sequence={event.sequence}>
      <summary>
        <EventMarker kind={kind} />
        <time dateTime={event.at} className="event__time" title={formatRelative(event.at, now)}>
          {formatTime(event.at, zone)}
        </time>
        <span className="event__name">{name}</span>
        <span className="event__detail">
          <EventDetail event={event} zone={zone} vocabulary={props.vocabulary} />
          {event.reason !== undefined && <span className="event__reason"> “{event.reason}”</span>}
          {isNamedActor(event) && <span className="muted"> by {event.actor}</span>}
        </span>
      </summary>
      <div className="event__body">
        <DescriptionList variant="small">
          <DescriptionItem name="Time">{formatInstant(event.at, zone)}</DescriptionItem>
          <DescriptionItem name="Type">{event.type}</DescriptionItem>
          {event.actor !== undefined && <DescriptionItem name="Actor">{event.actor}</DescriptionItem>}
          {event.policy !== undefined && <DescriptionItem name="Policy">{event.policy}</DescriptionItem>}
          <DescriptionItem name="Sequence">{event.sequence}</DescriptionItem>
          <DescriptionItem name="MAC">{event.mac}</DescriptionItem>
        </DescriptionList>
        {Object.keys(event.data).length > 0 && (
          <ScrollArea label="Event data">
            <pre>
              <code>{JSON.stringify(event.data, null, 2)}</code>
            </pre>
          </ScrollArea>
        )}
      </div>
    </details>
  )
}

/** The old and new value of a phase or risk change; the `detail` text of any other event. */
function EventDetail(props: { event: Event; zone: Zone; vocabulary: Vocabulary }): ReactElement {
  const { event, zone, vocabulary } = props
  const { from, to } = event.data
  const isPhase = event.type === 'phase_transition'
  const isChange = isPhase || event.type === 'risk_change'
  if (!isChange || typeof from !== 'string' || typeof to !== 'string') {
    return <>{formatInstantsIn(detailOf(event), zone)}</>
  }
  const renderTag = (value: string): ReactElement =>
    isPhase ? <PhaseTag phase={value} vocabulary={vocabulary} /> : <RiskTag level={value} vocabulary={vocabulary} />
  return (
    <span className="event__change">
      {renderTag(from)}
      <span className="muted" aria-hidden="true">
        →
      </span>
      <span className="sr-only">to</span>
      {renderTag(to)}
    </span>
  )
}
