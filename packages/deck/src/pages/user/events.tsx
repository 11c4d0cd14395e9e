import { type ReactElement, useEffect, useRef } from 'react'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { LedgerEvent } from '../../api/wire.ts'
import { stepFocus, useKeys } from '../../browser/keyboard.ts'
import { useZone } from '../../browser/preferences.ts'
import { useParam } from '../../browser/use-param.ts'
import { Fact } from '../../components/fact.tsx'
import { Scroll } from '../../components/scroll-area.tsx'
import { PhaseTag, RiskTag } from '../../components/tags.tsx'
import { useNow } from '../../time/clock.ts'
import { dayOf, fullInstant, relative, timeOf, type Zone } from '../../time/instants.ts'
import { KINDS, wordsOf } from './event-labels.ts'

/** The log, newest first, a day at a time. */
export function EventList(props: {
  events: readonly LedgerEvent[]
  timeZone: string | null
  vocabulary: Vocabulary
  /** The event that was asked for from the timeline. */
  wanted: number | null
  more: (() => void) | undefined
  loading: boolean
}): ReactElement {
  const [kind, setKind] = useParam('kind')
  const zone = useZone(props.timeZone)
  const list = useRef<HTMLDivElement>(null)
  const shown = props.events.filter((event) => kind === '' || wordsOf(event).kind === kind)
  useKeys({
    j: () => stepFocus(list.current, 'details.event > summary', 1),
    k: () => stepFocus(list.current, 'details.event > summary', -1),
  })
  useEffect(() => {
    if (props.wanted === null) return
    const found = list.current?.querySelector<HTMLDetailsElement>(`[data-sequence="${props.wanted}"]`)
    if (found === null || found === undefined) return
    found.open = true
    found.querySelector('summary')?.focus()
    found.scrollIntoView({ block: 'center' })
  }, [props.wanted])

  return (
    <div ref={list}>
      <div className="list-head">
        <label className="order">
          <span>Show</span>
          <select value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
            <option value="">all events</option>
            {KINDS.map(({ kind: value, name }) => (
              <option key={value} value={value}>
                {name.toLowerCase()}
              </option>
            ))}
          </select>
        </label>
        <span className="quiet small">Times in {zone.label}</span>
      </div>
      {shown.length === 0 && (
        <p className="quiet">
          {props.events.length === 0 ? 'Nothing has been logged yet.' : 'No such event is loaded.'}
        </p>
      )}
      {byDay(shown, zone).map(([day, events]) => (
        <section key={day} className="day" aria-label={day}>
          <h3>{day}</h3>
          <ol className="events">
            {events.map((event) => (
              <li key={event.sequence}>
                <EventEntry event={event} zone={zone} vocabulary={props.vocabulary} />
              </li>
            ))}
          </ol>
        </section>
      ))}
      {props.more !== undefined && (
        <button type="button" className="button" onClick={props.more} disabled={props.loading}>
          {props.loading ? 'One moment…' : 'Older events'}
        </button>
      )}
    </div>
  )
}

function byDay(events: readonly LedgerEvent[], zone: Zone): readonly (readonly [string, readonly LedgerEvent[]])[] {
  const days = new Map<string, LedgerEvent[]>()
  for (const event of events) {
    const day = dayOf(event.at, zone)
    const kept = days.get(day)
    if (kept === undefined) days.set(day, [event])
    else kept.push(event)
  }
  return [...days]
}

function EventEntry(props: { event: LedgerEvent; zone: Zone; vocabulary: Vocabulary }): ReactElement {
  const { event, zone } = props
  const now = useNow()
  const { name, kind } = wordsOf(event)
  return (
    <details className="event" data-sequence={event.sequence}>
      <summary>
        <span className="event-sign" data-kind={kind} aria-hidden="true" />
        <time dateTime={event.at} className="figures event-time" title={relative(event.at, now)}>
          {timeOf(event.at, zone)}
        </time>
        <span className="event-name">{name}</span>
        <span className="event-detail">
          <Detail event={event} vocabulary={props.vocabulary} />
          {event.actor !== undefined && event.actor !== 'app' && <span className="quiet"> by {event.actor}</span>}
        </span>
      </summary>
      <div className="event-body">
        {event.reason !== undefined && <p className="event-reason">“{event.reason}”</p>}
        <dl className="facts">
          <Fact name="When">{fullInstant(event.at, zone)}</Fact>
          <Fact name="Type">{event.type}</Fact>
          {event.actor !== undefined && <Fact name="Actor">{event.actor}</Fact>}
          {event.policy !== undefined && <Fact name="Policy">{event.policy}</Fact>}
          <Fact name="Sequence">{event.sequence}</Fact>
          <Fact name="Seal">{event.mac}</Fact>
        </dl>
        {Object.keys(event.data).length > 0 && (
          <Scroll label="Data of the event">
            <pre>
              <code>{JSON.stringify(event.data, null, 2)}</code>
            </pre>
          </Scroll>
        )}
      </div>
    </details>
  )
}

/** Changes of phase and risk are shown as what they were and became, everything else in the log's own words. */
function Detail({ event, vocabulary }: { event: LedgerEvent; vocabulary: Vocabulary }): ReactElement {
  const from = event.data.from
  const to = event.data.to
  const changed = event.type === 'phase_transition' || event.type === 'risk_change'
  if (!changed || typeof from !== 'string' || typeof to !== 'string') return <>{event.detail.replaceAll('->', '→')}</>
  const tag = (word: string): ReactElement =>
    event.type === 'phase_transition' ? (
      <PhaseTag phase={word} vocabulary={vocabulary} />
    ) : (
      <RiskTag level={word} vocabulary={vocabulary} />
    )
  return (
    <span className="change">
      {tag(from)}
      <span className="arrow" aria-hidden="true">
        →
      </span>
      <span className="unseen">to</span>
      {tag(to)}
    </span>
  )
}
