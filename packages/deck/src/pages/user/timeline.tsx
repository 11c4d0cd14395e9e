import './timeline.css'
import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactElement, useState } from 'react'
import { detailOf, labelOf } from '../../api/event-labels.ts'
import { userUsageQuery } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond, Event } from '../../api/wire.ts'
import { Card } from '../../components/card.tsx'
import { SegmentedControl } from '../../components/segmented-control.tsx'
import { heatOf } from '../../components/tags.tsx'
import { useNow, useZone } from '../../time/clock.ts'
import { formatDuration, formatInstant, formatRelative, type Zone } from '../../time/format-time.ts'
import { EventMarker } from './event-marker.tsx'
import { isLimitPeriod } from './limit-periods.ts'
import { formatPageRange, isWithin, type PageRange, PRESETS } from './page-range.ts'
import { RangeBrush } from './range-brush.tsx'
import type { Segment, TimeRange } from './segment.ts'
import { createTimeScale, type TimeScale } from './time-scale.ts'
import { buildTracks, type Track } from './timeline-tracks.ts'
import type { TimelineEvents } from './use-timeline-events.ts'

/** Sums of days are stored that long. */
const MAX_USAGE_MS = 400 * 86_400_000
/** Within this time a range ends now. */
const NOW_MS = 60_000

export interface TimelineProps {
  readonly bond: Bond
  readonly shown: TimelineEvents
  /** All of the user's time. */
  readonly extent: TimeRange
  readonly range: PageRange
  readonly vocabulary: Vocabulary
  /** '' is everything. */
  setRange(text: string): void
  openEvent(sequence: number): void
}

/**
 * Phase, risk level, reached limits and blocks over time, and the other events as marks. Segments and marks are buttons that open their
 * event; their accessible names are whole sentences. Arrow keys move within a track.
 */
export function Timeline(props: TimelineProps): ReactElement {
  const { bond, extent, range, vocabulary, openEvent, setRange } = props
  const { events, knownFrom, isCurrent } = props.shown
  const now = useNow()
  const zone = useZone(bond.timeZone)
  const shown = { from: Math.max(range.from, Math.min(knownFrom, range.to - 1)), to: range.to }
  const scale = createTimeScale(
    events.map(({ at }) => Date.parse(at)),
    shown,
  )
  const isCut = shown.from > extent.from
  const marks = events.filter((event) => isWithin(event.at, shown) && isMark(event))

  function describeSegment(track: Track, { value, from, to }: Segment): string {
    const subject = SUBJECTS[track.name](value)
    const preposition = isCut && from <= shown.from ? 'since before' : 'from'
    const start = formatInstant(new Date(from).toISOString(), zone)
    const end =
      to >= shown.to && shown.to >= extent.to ? 'until now' : `to ${formatInstant(new Date(to).toISOString(), zone)}`
    return `${subject}, ${preposition} ${start} ${end}, ${formatDuration(to - from)}.`
  }

  return (
    <Card
      title="Timeline"
      id="timeline"
      aside={
        <SegmentedControl
          legend="Range"
          variant="small"
          options={PRESETS}
          value={range.preset ?? 'chosen'}
          onChange={setRange}
        />
      }
    >
      <div className="timeline">
        {/* First, so that it stays where it is while other tracks appear in another range. */}
        <ActivityBrush bond={bond} extent={extent} range={range} zone={zone} setRange={setRange} />
        {buildTracks({ bond, events, range: shown, isCurrent }).map((track) => (
          <TrackRow
            key={track.name}
            track={track}
            scale={scale}
            vocabulary={vocabulary}
            describe={(segment) => describeSegment(track, segment)}
            openEvent={openEvent}
          />
        ))}
        <MarkRow name="Events" events={marks} scale={scale} now={now} openEvent={openEvent} />
        <Axis range={shown} scale={scale} now={now} />
      </div>
    </Card>
  )
}

/** What an accessible name says of a segment. */
const SUBJECTS: Readonly<Record<Track['name'], (value: string) => string>> = {
  Phase: (value) => `Phase ${value}`,
  Risk: (value) => `Risk ${value}`,
  Limits: (value) => `Turns did not pass under ${value}`,
  Blocked: () => 'Blocked',
}

/** What the tracks show is no mark. */
function isMark(event: Event): boolean {
  return event.type !== 'phase_transition' && event.type !== 'risk_change' && !isLimitPeriod(event)
}

/** The brush over the turns of each day. */
function ActivityBrush(props: {
  bond: Bond
  extent: TimeRange
  range: PageRange
  zone: Zone
  setRange(text: string): void
}): ReactElement {
  const { bond, extent, range, zone, setRange } = props
  const firstDay = new Date(Math.max(extent.from, extent.to - MAX_USAGE_MS)).toISOString().slice(0, 10)
  const usage = useQuery(userUsageQuery(bond.user, firstDay)).data?.data ?? []
  return (
    <RangeBrush
      extent={extent}
      range={range}
      bars={usage.map(({ key, turns, refused }) => ({ at: Date.parse(String(key)), value: turns + refused }))}
      zone={zone}
      onChange={(chosen) => setRange(chosen === null ? '' : formatPageRange(chosen))}
    />
  )
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
  if (track.segments.length === 0) {
    return (
      <div className="timeline__track">
        <h3>{track.name}</h3>
        <p className="muted small">not known in this range</p>
      </div>
    )
  }
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
  name: string
  events: readonly Event[]
  scale: TimeScale
  now: number
  openEvent(sequence: number): void
}): ReactElement | null {
  const { name: row, scale, now, openEvent } = props
  const oldestFirst = props.events.toReversed()
  const { tabIndexOf, onKeyDown } = useRovingTabIndex(oldestFirst.length)
  if (oldestFirst.length === 0) return null
  const id = `timeline-${row}`
  return (
    <div className="timeline__track">
      <h3 id={id}>{row}</h3>
      <ol aria-labelledby={id} className="timeline__line timeline__line--marks" onKeyDown={onKeyDown}>
        {oldestFirst.map((event, index) => {
          const { name, kind } = labelOf(event)
          const label = `${name}: ${detailOf(event) || event.detail}, ${formatRelative(event.at, now)}.`
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
      <span>{now - range.to < NOW_MS ? 'now' : formatRelative(new Date(range.to).toISOString(), now)}</span>
    </div>
  )
}
