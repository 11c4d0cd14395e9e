import './timeline.css'
import { type KeyboardEvent, type ReactElement, useState } from 'react'
import { labelOf } from '../../api/event-labels.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond, Event } from '../../api/wire.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { Card } from '../../components/card.tsx'
import { SegmentedControl } from '../../components/segmented-control.tsx'
import { heatOf } from '../../components/tags.tsx'
import { useNow, useZone } from '../../time/clock.ts'
import { formatDuration, formatInstant, formatRelative } from '../../time/format-time.ts'
import { EventMarker } from './event-marker.tsx'
import { createTimeScale, type TimeScale } from './time-scale.ts'
import { buildTracks, type Segment, type TimeRange, type Track } from './timeline-tracks.ts'

const DAY_MS = 86_400_000
const RANGES = [
  ['day', '24 h'],
  ['week', '7 days'],
  ['month', '30 days'],
  ['', 'All'],
] as const
const RANGE_MS = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS, '': Number.POSITIVE_INFINITY }

/** Shortest range, so that a user who was created a moment ago has a timeline. */
const MIN_RANGE_MS = 1_000

export interface TimelineProps {
  readonly bond: Bond
  /** The loaded events, newest first. */
  readonly events: readonly Event[]
  /** Whether all events are loaded. */
  readonly isComplete: boolean
  readonly vocabulary: Vocabulary
  openEvent(sequence: number): void
}

/**
 * Phase, risk level and blocks over time, and the other events as marks. Segments and marks are buttons that open their
 * event; their accessible names are whole sentences. Arrow keys move within a track.
 */
export function Timeline(props: TimelineProps): ReactElement {
  const { bond, events, vocabulary, openEvent } = props
  const [rangeParam, setRangeParam] = useSearchParam('range')
  const now = useNow()
  const zone = useZone(bond.timeZone)
  const [rangeName] = RANGES.find(([name]) => name === rangeParam) ?? RANGES[3]

  const instants = events.map(({ at }) => Date.parse(at))
  const oldestEvent = Math.min(...instants)
  const oldest = Math.min(oldestEvent, Date.parse(bond.createdAt ?? '') || now)
  const firstKnown = props.isComplete ? oldest : oldestEvent
  // The page's clock ticks every 10 s: an event since then is not cut off.
  const to = Math.max(now, ...instants.map((at) => at + 1))
  const range = { from: Math.max(Math.min(firstKnown, now - MIN_RANGE_MS), now - RANGE_MS[rangeName]), to }
  const scale = createTimeScale(instants, range)
  const isCut = range.from > oldest || !props.isComplete
  const marks = events.filter((event) => Date.parse(event.at) >= range.from && isMark(event))

  function describeSegment(track: Track, { value, from, to }: Segment): string {
    const subject = track.name === 'Blocked' ? 'Blocked' : `${track.name} ${value}`
    const preposition = isCut && from <= range.from ? 'since before' : 'from'
    const start = formatInstant(new Date(from).toISOString(), zone)
    const end = to >= range.to ? 'until now' : `to ${formatInstant(new Date(to).toISOString(), zone)}`
    return `${subject}, ${preposition} ${start} ${end}, ${formatDuration(to - from)}.`
  }

  return (
    <Card
      title="Timeline"
      id="timeline"
      aside={
        <SegmentedControl legend="Range" variant="small" options={RANGES} value={rangeName} onChange={setRangeParam} />
      }
    >
      <div className="timeline">
        {buildTracks(bond, events, range).map((track) => (
          <TrackRow
            key={track.name}
            track={track}
            scale={scale}
            vocabulary={vocabulary}
            describe={(segment) => describeSegment(track, segment)}
            openEvent={openEvent}
          />
        ))}
        {marks.length > 0 && <MarkRow events={marks} scale={scale} now={now} openEvent={openEvent} />}
        <Axis range={range} scale={scale} now={now} />
      </div>
    </Card>
  )
}

/** Phase and risk changes are shown by the tracks; all other events are marks. */
function isMark(event: Event): boolean {
  return event.type !== 'phase_transition' && event.type !== 'risk_change'
}

/** Keeps one of `count` buttons in the tab order. Arrow keys, Home and End move the focus among them. */
function useRovingTabIndex(count: number): {
  tabIndexOf(index: number): 0 | -1
  onKeyDown(event: KeyboardEvent): void
} {
  const [focused, setFocused] = useState(count - 1)
  const current = Math.min(focused, count - 1)
  return {
    tabIndexOf: (index) => (index === current ? 0 : -1),
    onKeyDown(event) {
      const targets: Record<string, number> = {
        ArrowLeft: current - 1,
        ArrowRight: current + 1,
        Home: 0,
        End: count - 1,
      }
      const next = targets[event.key]
      if (next === undefined || next < 0 || next >= count) return
      event.preventDefault()
      setFocused(next)
      event.currentTarget.querySelectorAll('button')[next]?.focus()
    },
  }
}

function TrackRow(props: {
  track: Track
  scale: TimeScale
  vocabulary: Vocabulary
  describe(segment: Segment): string
  openEvent(sequence: number): void
}): ReactElement {
  const { track, scale, vocabulary, describe, openEvent } = props
  const { tabIndexOf, onKeyDown } = useRovingTabIndex(track.segments.length)
  const id = `timeline-${track.name}`
  return (
    <div className="timeline__track">
      <h3 id={id}>{track.name}</h3>
      <ol aria-labelledby={id} className="timeline__line" onKeyDown={onKeyDown}>
        {track.segments.map((segment, index) => {
          const label = describe(segment)
          const { sequence } = segment
          return (
            <li
              key={String(sequence)}
              className="timeline__slot"
              style={positionStyle(scale.position(segment.from), scale.position(segment.to))}
            >
              <button
                type="button"
                className="timeline__segment"
                tabIndex={tabIndexOf(index)}
                {...toneOf(track, segment, vocabulary)}
                title={label}
                aria-label={label}
                onClick={() => sequence !== null && openEvent(sequence)}
              >
                <span>{segment.value}</span>
              </button>
            </li>
          )
        })}
      </ol>
    </div>
  )
}

function toneOf(track: Track, segment: Segment, vocabulary: Vocabulary): Record<string, number> {
  if (track.name === 'Phase') return { 'data-hue': vocabulary.hueOf(segment.value) }
  return { 'data-heat': track.name === 'Risk' ? heatOf(segment.value, vocabulary) : -1 }
}

function positionStyle(start: number, end: number = start): Record<string, string> {
  return { '--start': String(start), '--size': String(end - start) }
}

function MarkRow(props: {
  events: readonly Event[]
  scale: TimeScale
  now: number
  openEvent(sequence: number): void
}): ReactElement {
  const { scale, now, openEvent } = props
  const oldestFirst = props.events.toReversed()
  const { tabIndexOf, onKeyDown } = useRovingTabIndex(oldestFirst.length)
  return (
    <div className="timeline__track">
      <h3 id="timeline-marks">Events</h3>
      <ol aria-labelledby="timeline-marks" className="timeline__line timeline__line--marks" onKeyDown={onKeyDown}>
        {oldestFirst.map((event, index) => {
          const { name, kind } = labelOf(event)
          const label = `${name}: ${event.detail}, ${formatRelative(event.at, now)}.`
          return (
            <li
              key={event.sequence}
              className="timeline__slot"
              style={positionStyle(scale.position(Date.parse(event.at)))}
            >
              <button
                type="button"
                className="timeline__mark"
                tabIndex={tabIndexOf(index)}
                title={label}
                aria-label={label}
                onClick={() => openEvent(event.sequence)}
              >
                <EventMarker kind={kind} />
              </button>
            </li>
          )
        })}
      </ol>
    </div>
  )
}

/** Start and end of the range, and the lengths of compressed gaps. */
function Axis({ range, scale, now }: { range: TimeRange; scale: TimeScale; now: number }): ReactElement {
  return (
    <div className="timeline__axis" aria-hidden="true">
      <span>{formatRelative(new Date(range.from).toISOString(), now)}</span>
      {scale.gaps.map((gap) => (
        <span
          key={gap.from}
          className={gap.end > 0.9 ? 'timeline__gap timeline__gap--last' : 'timeline__gap'}
          style={positionStyle(gap.start, gap.end)}
        >
          <span>{formatDuration(gap.to - gap.from)} gap</span>
        </span>
      ))}
      <span>now</span>
    </div>
  )
}
