import { type KeyboardEvent, type ReactElement, useState } from 'react'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond, LedgerEvent } from '../../api/wire.ts'
import { useZone } from '../../browser/preferences.ts'
import { useParam } from '../../browser/use-param.ts'
import { Card } from '../../components/states.tsx'
import { heatOf } from '../../components/tags.tsx'
import { useNow } from '../../time/clock.ts'
import { duration, fullInstant, relative, type Zone } from '../../time/instants.ts'
import { wordsOf } from './event-labels.ts'
import { createScale, type Scale } from './time-scale.ts'
import { type Lane, lanesOf, type Segment } from './timeline-tracks.ts'

const DAY = 86_400_000
const RANGES = [
  { value: 'day', name: '24 h', ms: DAY },
  { value: 'week', name: '7 days', ms: 7 * DAY },
  { value: 'month', name: '30 days', ms: 30 * DAY },
  { value: '', name: 'All', ms: Number.POSITIVE_INFINITY },
] as const

/** The least time the line shows, so that a user of this moment has a line at all. */
const LEAST_MS = 1_000

interface Drawing {
  readonly scale: Scale
  readonly span: { readonly from: number; readonly to: number }
  /** Whether there is more behind the left edge than is shown. */
  readonly cut: boolean
  readonly vocabulary: Vocabulary
  readonly zone: Zone
  readonly now: number
  show(sequence: number): void
}

/**
 * Which phase and which risk held when, and what was done. Stretches are buttons with a whole sentence for a name;
 * arrow keys go from one to the next inside a lane, and each leads to the event that began it.
 */
export function Timeline(props: {
  bond: Bond
  events: readonly LedgerEvent[]
  complete: boolean
  vocabulary: Vocabulary
  show(sequence: number): void
}): ReactElement {
  const { bond, events, vocabulary } = props
  const [chosen, choose] = useParam('range')
  const now = useNow()
  const zone = useZone(bond.timeZone)
  const range = RANGES.find(({ value }) => value === chosen) ?? RANGES[3]
  const oldest = Math.min(...events.map(({ at }) => Date.parse(at)), Date.parse(bond.createdAt ?? '') || now)
  const known = props.complete ? oldest : Math.min(...events.map(({ at }) => Date.parse(at)))
  const span = { from: Math.max(Math.min(known, now - LEAST_MS), now - range.ms), to: now }
  const lanes = lanesOf(bond, events, span)
  const scale = createScale(
    events.map(({ at }) => Date.parse(at)),
    span,
  )
  const cut = span.from > oldest || !props.complete
  const drawing: Drawing = { scale, span, cut, vocabulary, zone, now, show: props.show }
  const marks = events.filter((event) => Date.parse(event.at) >= span.from && isMark(event))

  return (
    <Card
      title="Timeline"
      id="timeline"
      aside={
        <fieldset className="segments small">
          <legend className="unseen">Range</legend>
          {RANGES.map(({ value, name }) => (
            <label key={name}>
              <input
                type="radio"
                name="range"
                value={value}
                checked={range.value === value}
                onChange={() => choose(value)}
              />
              <span>{name}</span>
            </label>
          ))}
        </fieldset>
      }
    >
      <div className="lanes">
        {lanes.map((lane) => (
          <LaneRow key={lane.name} lane={lane} drawing={drawing} />
        ))}
        {marks.length > 0 && <Marks marks={marks} drawing={drawing} />}
        <Axis drawing={drawing} />
      </div>
    </Card>
  )
}

/** Changes of phase and risk are lanes already; what people and the application did stands as marks below. */
function isMark(event: LedgerEvent): boolean {
  return event.type !== 'phase_transition' && event.type !== 'risk_change'
}

/** One stop for the Tab key; arrow keys, Home and End go along. */
function useStops(count: number): { indexOf(at: number): 0 | -1; onKeyDown(event: KeyboardEvent): void } {
  const [present, setPresent] = useState(count - 1)
  const stop = Math.min(present, count - 1)
  return {
    indexOf: (at) => (at === stop ? 0 : -1),
    onKeyDown(event) {
      const steps: Record<string, number> = { ArrowLeft: stop - 1, ArrowRight: stop + 1, Home: 0, End: count - 1 }
      const next = steps[event.key]
      if (next === undefined || next < 0 || next >= count) return
      event.preventDefault()
      setPresent(next)
      event.currentTarget.querySelectorAll('button')[next]?.focus()
    },
  }
}

function LaneRow({ lane, drawing }: { lane: Lane; drawing: Drawing }): ReactElement {
  const stops = useStops(lane.segments.length)
  const id = `lane-${lane.name}`
  return (
    <div className="lane">
      <h3 id={id}>{lane.name}</h3>
      <ol aria-labelledby={id} onKeyDown={stops.onKeyDown}>
        {lane.segments.map((segment, index) => (
          <li key={`${segment.sequence}`} style={placed(segment, drawing.scale)}>
            <button
              type="button"
              className="stretch"
              tabIndex={stops.indexOf(index)}
              {...toneOf(lane, segment, drawing.vocabulary)}
              title={sentenceOf(lane, segment, drawing)}
              aria-label={sentenceOf(lane, segment, drawing)}
              onClick={() => segment.sequence !== null && drawing.show(segment.sequence)}
            >
              <span>{segment.value}</span>
            </button>
          </li>
        ))}
      </ol>
    </div>
  )
}

function placed(segment: Segment, scale: Scale): Record<string, string> {
  const start = scale.place(segment.from)
  return { '--start': String(start), '--size': String(scale.place(segment.to) - start) }
}

function toneOf(lane: Lane, segment: Segment, vocabulary: Vocabulary): Record<string, number> {
  if (lane.name === 'Phase') return { 'data-hue': vocabulary.hueOf(segment.value) }
  return { 'data-heat': lane.name === 'Risk' ? heatOf(segment.value, vocabulary) : 3 }
}

function sentenceOf(lane: Lane, { value, from, to }: Segment, { zone, span, cut }: Drawing): string {
  const what = lane.name === 'Blocked' ? 'Blocked' : `${lane.name} ${value}`
  const since = cut && from <= span.from ? 'since before' : 'from'
  const start = fullInstant(new Date(from).toISOString(), zone)
  const end = to >= span.to ? 'until now' : `to ${fullInstant(new Date(to).toISOString(), zone)}`
  return `${what}, ${since} ${start} ${end}, ${duration(to - from)}.`
}

function Marks({ marks, drawing }: { marks: readonly LedgerEvent[]; drawing: Drawing }): ReactElement {
  const oldestFirst = [...marks].reverse()
  const stops = useStops(oldestFirst.length)
  return (
    <div className="lane">
      <h3 id="lane-marks">Events</h3>
      <ol aria-labelledby="lane-marks" className="marks" onKeyDown={stops.onKeyDown}>
        {oldestFirst.map((event, index) => {
          const sentence = `${wordsOf(event).name}: ${event.detail}, ${relative(event.at, drawing.now)}.`
          return (
            <li
              key={event.sequence}
              style={{ '--start': String(drawing.scale.place(Date.parse(event.at))) } as Record<string, string>}
            >
              <button
                type="button"
                className="mark-button"
                data-kind={wordsOf(event).kind}
                tabIndex={stops.indexOf(index)}
                title={sentence}
                aria-label={sentence}
                onClick={() => drawing.show(event.sequence)}
              />
            </li>
          )
        })}
      </ol>
    </div>
  )
}

function Axis({ drawing }: { drawing: Drawing }): ReactElement {
  const { span, scale, now } = drawing
  return (
    <div className="axis" aria-hidden="true">
      <span className="axis-start">{relative(new Date(span.from).toISOString(), now)}</span>
      {scale.folds.map((fold) => (
        <span
          key={fold.from}
          className={fold.end > 0.9 ? 'fold last' : 'fold'}
          style={{ '--start': String(fold.start), '--size': String(fold.end - fold.start) } as Record<string, string>}
        >
          <span>{duration(fold.to - fold.from)} quiet</span>
        </span>
      ))}
      <span className="axis-end">now</span>
    </div>
  )
}
