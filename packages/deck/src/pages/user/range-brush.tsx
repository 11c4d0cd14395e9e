import './range-brush.css'
import { type KeyboardEvent, type PointerEvent, type ReactElement, useRef, useState } from 'react'
import { formatInstant, type Zone } from '../../time/format-time.ts'
import type { TimeRange } from './segment.ts'

const DAY_MS = 86_400_000
/** A shorter drag is a click, which selects everything. */
const MIN_SHARE = 0.01
/** Steps of the arrow keys in a short period. */
const STEPS = 50
/** Within this distance a handle is moved instead of a new range. */
const HANDLE_PX = 12

export interface BrushBar {
  readonly at: number
  readonly value: number
}

/**
 * All of the user's time, with one bar for each day, on which a range is chosen: by dragging, or with the arrow keys on
 * one of its ends.
 */
export function RangeBrush(props: {
  extent: TimeRange
  range: TimeRange
  bars: readonly BrushBar[]
  zone: Zone
  onChange(range: TimeRange | null): void
}): ReactElement {
  const { extent, bars, zone, onChange } = props
  const element = useRef<HTMLDivElement>(null)
  const [dragged, setDragged] = useState<TimeRange | null>(null)
  const anchor = useRef(0)
  const range = dragged ?? props.range
  const length = Math.max(1, extent.to - extent.from)
  const shareOf = (at: number): number => Math.min(1, Math.max(0, (at - extent.from) / length))
  const most = Math.max(1, ...bars.map(({ value }) => value))

  function instantAt({ clientX }: PointerEvent): number {
    const box = element.current?.getBoundingClientRect()
    if (box === undefined || box.width === 0) return extent.from
    return extent.from + Math.min(1, Math.max(0, (clientX - box.left) / box.width)) * length
  }

  /** The other end of the range where a handle is taken, the instant itself where a new range begins. */
  function anchorOf(event: PointerEvent): number {
    const at = instantAt(event)
    const reach = (HANDLE_PX / Math.max(1, element.current?.clientWidth ?? 1)) * length
    if (Math.abs(at - range.from) < reach) return range.to
    return Math.abs(at - range.to) < reach ? range.from : at
  }

  function onPointerDown(event: PointerEvent): void {
    if (event.button !== 0) return
    event.preventDefault()
    anchor.current = anchorOf(event)
    element.current?.setPointerCapture(event.pointerId)
    setDragged(order(anchor.current, instantAt(event)))
  }

  function onPointerMove(event: PointerEvent): void {
    if (dragged !== null) setDragged(order(anchor.current, instantAt(event)))
  }

  function onPointerUp(event: PointerEvent): void {
    if (dragged === null) return
    const chosen = order(anchor.current, instantAt(event))
    setDragged(null)
    onChange(chosen.to - chosen.from < MIN_SHARE * length ? null : chosen)
  }

  return (
    <div
      ref={element}
      className="brush"
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => setDragged(null)}
    >
      {bars.map(({ at, value }) => (
        <span
          key={at}
          className="brush__bar"
          aria-hidden="true"
          style={styleOf({ start: shareOf(at), size: shareOf(at + DAY_MS) - shareOf(at), height: value / most })}
        />
      ))}
      <span
        className="brush__window"
        aria-hidden="true"
        style={styleOf({ start: shareOf(range.from), size: shareOf(range.to) - shareOf(range.from) })}
      />
      {(['from', 'to'] as const).map((end) => (
        <BrushHandle
          key={end}
          end={end}
          range={range}
          extent={extent}
          zone={zone}
          style={styleOf({ start: shareOf(range[end]) })}
          move={(at) => onChange(order(end === 'from' ? range.to : range.from, at))}
        />
      ))}
    </div>
  )
}

function BrushHandle(props: {
  end: 'from' | 'to'
  range: TimeRange
  extent: TimeRange
  zone: Zone
  style: Record<string, string>
  move(at: number): void
}): ReactElement {
  const { end, range, extent, zone } = props
  const at = range[end]
  const length = extent.to - extent.from
  const stepMs = length > 3 * DAY_MS ? DAY_MS : length / STEPS
  const [least, most] = end === 'from' ? [extent.from, range.to - stepMs] : [range.from + stepMs, extent.to]
  function onKeyDown(event: KeyboardEvent): void {
    const targets: Readonly<Record<string, number>> = {
      ArrowLeft: at - stepMs,
      ArrowRight: at + stepMs,
      Home: least,
      End: most,
    }
    const target = targets[event.key]
    if (target === undefined) return
    event.preventDefault()
    if (least <= most) props.move(Math.min(most, Math.max(least, target)))
  }
  return (
    <span
      role="slider"
      tabIndex={0}
      className="brush__handle"
      aria-label={end === 'from' ? 'Start of the range' : 'End of the range'}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(((at - extent.from) / Math.max(1, length)) * 100)}
      aria-valuetext={formatInstant(new Date(at).toISOString(), zone)}
      style={props.style}
      onKeyDown={onKeyDown}
    />
  )
}

function order(one: number, other: number): TimeRange {
  return { from: Math.min(one, other), to: Math.max(one, other) }
}

/** Positions and sizes as shares of the brush. */
function styleOf(shares: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(shares).map(([name, share]) => [`--${name}`, String(share)]))
}
