import 'uplot/dist/uPlot.min.css'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import UPlot from 'uplot'
import { useColorScheme } from '../browser/preferences.ts'
import type { Series, TimeSeriesProps } from './time-series.tsx'

const HEIGHT_PX = 180
const AXIS_WIDTH_PX = 52
const TIME_AXIS_HEIGHT_PX = 28
const FONT = '12px system-ui, sans-serif'
/** Steps of the axis: what is counted has no parts. */
const INCREMENTS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/** The only module that knows uPlot. A canvas has no text for screen readers: `TimeSeries` has it. */
export function Chart({ labels, series, kind, format }: Omit<TimeSeriesProps, 'title'>): ReactElement {
  const container = useRef<HTMLDivElement>(null)
  const [hovered, setHovered] = useState<number | null>(null)
  const scheme = useColorScheme()
  const key = JSON.stringify([labels, series, kind])
  const latest = useRef(format)
  latest.current = format

  useEffect(() => {
    const element = container.current
    if (element === null) return
    const colors = readColors(element)
    const plot = new UPlot(
      optionsOf({ colors, series, labels, kind, width: element.clientWidth, format: latest.current, setHovered }),
      dataOf(labels, series, kind),
      element,
    )
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT_PX }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      plot.destroy()
    }
  }, [key, scheme])

  return (
    <div className="chart" ref={container}>
      <span className="chart__color chart__color--text" />
      <span className="chart__color chart__color--grid" />
      {series.map(({ name, tone }) => (
        <span key={name} className="chart__color" data-series="" {...tone} />
      ))}
      {hovered !== null && labels[hovered] !== undefined && (
        <span className="chart__tip">
          {labels[hovered].replace('T', ' ')}:{' '}
          {series.map(({ name, values }) => `${name} ${format(values[hovered] ?? 0)}`).join(', ')}
        </span>
      )}
    </div>
  )
}

interface Colors {
  readonly text: string
  readonly grid: string
  readonly series: readonly string[]
}

/** The computed colors of the tokens: a canvas does not know custom properties. */
function readColors(element: HTMLElement): Colors {
  const colorOf = (span: Element | null): string => (span === null ? '' : getComputedStyle(span).color)
  return {
    text: colorOf(element.querySelector('.chart__color--text')),
    grid: colorOf(element.querySelector('.chart__color--grid')),
    series: Array.from(element.querySelectorAll('[data-series]'), colorOf),
  }
}

/** Epoch seconds of the labels, then for bars the sums of a series and those below it, highest first. */
function dataOf(labels: readonly string[], series: readonly Series[], kind: 'bars' | 'lines'): UPlot.AlignedData {
  const times = labels.map((label) => Date.parse(label.length === 10 ? label : `${label}:00:00Z`) / 1000)
  if (kind === 'lines') return [times, ...series.map(({ values }) => [...values])]
  const sums = labels.map(() => 0)
  const stacked = series.map(({ values }) => values.map((value, index) => (sums[index] = (sums[index] ?? 0) + value)))
  return [times, ...stacked.toReversed()]
}

function optionsOf(chart: {
  readonly colors: Colors
  readonly series: readonly Series[]
  readonly labels: readonly string[]
  readonly kind: 'bars' | 'lines'
  readonly width: number
  format(value: number): string
  setHovered(index: number | null): void
}): UPlot.Options {
  const { colors, series, kind } = chart
  const axis = { stroke: colors.text, font: FONT, ticks: { show: false }, grid: { stroke: colors.grid, width: 1 } }
  const bars = UPlot.paths.bars?.({ size: [0.72, 40], radius: 0.1 })
  const lines = series.map((_, index) => ({
    stroke: colors.series[index] ?? colors.text,
    ...(kind === 'bars' && bars !== undefined
      ? { fill: colors.series[index] ?? colors.text, paths: bars, width: 0 }
      : { width: 2 }),
    points: { show: false },
  }))
  return {
    width: chart.width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: kind === 'lines' } },
    // Half a step at both ends, so that no bar is cut.
    scales: {
      x: { time: true, range: (_, min, max) => [min - stepOf(chart.labels) / 2, max + stepOf(chart.labels) / 2] },
      y: { range: (_, __, max) => [0, Math.max(1, max * 1.08)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: TIME_AXIS_HEIGHT_PX,
        values: (_, instants) => instants.map(formatAxisInstant),
      },
      {
        ...axis,
        size: AXIS_WIDTH_PX,
        incrs: INCREMENTS,
        values: (_, values) => values.map((value) => chart.format(value)),
      },
    ],
    series: [{}, ...(kind === 'bars' ? lines.toReversed() : lines)],
    hooks: { setCursor: [({ cursor }) => chart.setHovered(cursor.idx ?? null)] },
  }
}

/** Seconds from one label to the next. */
function stepOf(labels: readonly string[]): number {
  return labels[0]?.length === 10 ? DAY_MS / 1_000 : HOUR_MS / 1_000
}

const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
const hourFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' })

/** A day at its start, else a time of day: all in UTC, as the sums of the server are. */
function formatAxisInstant(seconds: number): string {
  const ms = seconds * 1000
  return (ms % DAY_MS === 0 ? dayFormat : hourFormat).format(ms)
}
