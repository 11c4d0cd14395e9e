import './time-series.css'
import { lazy, type ReactElement, Suspense, useState } from 'react'
import { Button } from './button.tsx'
import { DataTable } from './data-table.tsx'
import { ScrollArea } from './scroll-area.tsx'

/** One line or one part of each bar. */
export interface Series {
  readonly name: string
  /** Attributes that give its color: `data-hue`, `data-heat`, or none for the accent. */
  readonly tone?: Readonly<Record<string, number>>
  /** One value for each label. */
  readonly values: readonly number[]
}

export interface TimeSeriesProps {
  /** What is shown, for its title and for screen readers. */
  readonly title: string
  /** Days `2026-11-29` or hours `2026-11-29T23`, in order and without gaps. */
  readonly labels: readonly string[]
  readonly series: readonly Series[]
  /** Bars that are stacked on each other, or lines. */
  readonly kind: 'bars' | 'lines'
  format(value: number): string
}

const Chart = lazy(() => import('./chart.tsx').then((module) => ({ default: module.Chart })))

/** Values over time, as a chart or as the same values in a table. */
export function TimeSeries(props: TimeSeriesProps): ReactElement {
  const { title, labels, series } = props
  const [isTable, setIsTable] = useState(false)
  const shown = series.filter(({ values }) => values.some((value) => value > 0))
  return (
    <figure className="time-series">
      <figcaption className="time-series__header">
        <span className="time-series__title">{title}</span>
        <Button size="small" variant="subtle" aria-pressed={isTable} onClick={() => setIsTable(!isTable)}>
          Table
        </Button>
      </figcaption>
      {shown.length === 0 ? (
        <p className="muted small time-series__empty">Nothing in this period.</p>
      ) : isTable ? (
        <SeriesTable {...props} series={shown} />
      ) : (
        <>
          <div role="img" aria-label={sentenceOf(props, shown)} className="time-series__plot">
            <Suspense fallback={null}>
              <Chart labels={labels} series={shown} kind={props.kind} format={props.format} />
            </Suspense>
          </div>
          {shown.length > 1 && (
            <ul className="time-series__legend" aria-hidden="true">
              {shown.map(({ name, tone }) => (
                <li key={name} {...tone}>
                  <span className="time-series__swatch" />
                  {name}
                </li>
              ))}
            </ul>
          )}
        </>
      )}
    </figure>
  )
}

/** The latest values; all of them are in the table. */
function sentenceOf({ title, labels, format }: TimeSeriesProps, series: readonly Series[]): string {
  const latest = series.map(({ name, values }) => `${name} ${format(values.at(-1) ?? 0)}`).join(', ')
  return `${title}, ${labels[0]} to ${labels.at(-1)}. Latest: ${latest}. All values are in the table.`
}

function SeriesTable({ title, labels, series, format }: TimeSeriesProps): ReactElement {
  return (
    <div className="time-series__table">
      <ScrollArea label={title}>
        <DataTable
          label={title}
          compact
          columns={[{ name: 'When' }, ...series.map(({ name }) => ({ name, isNumeric: true }))]}
        >
          {labels.map((label, index) => (
            <tr key={label}>
              <th scope="row">{label.replace('T', ' ')}</th>
              {series.map(({ name, values }) => (
                <td key={name} className="data-table__number">
                  {format(values[index] ?? 0)}
                </td>
              ))}
            </tr>
          ))}
        </DataTable>
      </ScrollArea>
    </div>
  )
}
