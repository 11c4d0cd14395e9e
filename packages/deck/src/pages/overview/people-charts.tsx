import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import { daysQuery, phaseChangesQuery } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { OverviewDay, PhaseChange } from '../../api/wire.ts'
import { usersPath } from '../../browser/location.ts'
import { Surface } from '../../components/card.tsx'
import { CHART_LINES } from '../../components/daily-usage.tsx'
import { type Query, QueryResult } from '../../components/query-result.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { heatOf, PhaseTag } from '../../components/tags.tsx'
import { TimeSeries } from '../../components/time-series.tsx'
import { formatCompact, formatInteger } from '../../format-number.ts'
import { formatCoarseDuration } from '../../time/format-time.ts'

/** Users by risk and by phase over the last 30 days, and how they went from phase to phase. */
export function PeopleCharts({ vocabulary }: { vocabulary: Vocabulary }): ReactElement {
  const days = useQuery(daysQuery)
  const riskLevels = vocabulary.riskLevels.map((name) => ({ name, tone: { 'data-heat': heatOf(name, vocabulary) } }))
  const phases = vocabulary.phases.map((name) => ({ name, tone: { 'data-hue': vocabulary.hueOf(name) } }))
  return (
    <>
      <div className="overview__pair">
        <PeopleChart title="Users by risk, last 30 days" days={days} parts={riskLevels} of="riskLevels" />
        <PeopleChart title="Users by phase, last 30 days" days={days} parts={phases} of="phases" />
      </div>
      <TransitionMatrix vocabulary={vocabulary} />
    </>
  )
}

function PeopleChart(props: {
  title: string
  days: Query<{ readonly data: readonly OverviewDay[] }>
  parts: readonly { readonly name: string; readonly tone: Readonly<Record<string, number>> }[]
  of: 'riskLevels' | 'phases'
}): ReactElement {
  const { title, days, parts, of } = props
  return (
    <QueryResult query={days} name={title} lines={CHART_LINES} shape="card">
      {({ data }) => (
        <Surface className="" label={title}>
          <TimeSeries
            title={title}
            labels={data.map(({ day }) => day)}
            kind="bars"
            format={formatCompact}
            series={parts.map(({ name, tone }) => ({ name, tone, values: data.map((day) => day[of][name] ?? 0) }))}
          />
        </Surface>
      )}
    </QueryResult>
  )
}

/** How often users went from one phase (row) to another (column), and how long they had been in the one before. */
function TransitionMatrix({ vocabulary }: { vocabulary: Vocabulary }): ReactElement {
  const changes = useQuery(phaseChangesQuery)
  return (
    <QueryResult query={changes} name="changes of phase" lines={9} shape="card">
      {({ data }) => <Matrix changes={data} vocabulary={vocabulary} />}
    </QueryResult>
  )
}

function Matrix({
  changes,
  vocabulary,
}: {
  changes: readonly PhaseChange[]
  vocabulary: Vocabulary
}): ReactElement | null {
  const cells = new Map(changes.map((change) => [keyOf(change.from, change.to), change]))
  const from = vocabulary.phases.filter((phase) => vocabulary.phases.some((to) => cells.has(keyOf(phase, to))))
  const to = vocabulary.phases.filter((phase) => vocabulary.phases.some((before) => cells.has(keyOf(before, phase))))
  if (from.length === 0) return null
  const most = Math.max(
    ...changes.filter((change) => change.from !== null && change.to !== null).map(({ users }) => users),
  )
  return (
    <Surface className="" label="Changes of phase">
      <h2 className="matrix__title">
        Changes of phase, last 30 days <span className="muted small">with the median time in the phase before</span>
      </h2>
      <ScrollArea label="Changes of phase">
        <table className="matrix">
          <thead>
            <tr>
              <th scope="col">From, then to</th>
              {to.map((phase) => (
                <th key={phase} scope="col">
                  <PhaseTag phase={phase} vocabulary={vocabulary} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {from.map((phase) => (
              <tr key={phase}>
                <th scope="row">
                  <Link href={usersPath({ phase })} className="matrix__link">
                    <PhaseTag phase={phase} vocabulary={vocabulary} />
                  </Link>
                </th>
                {to.map((next) => (
                  <MatrixCell key={next} cell={cells.get(keyOf(phase, next))} most={most} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollArea>
    </Surface>
  )
}

function MatrixCell({ cell, most }: { cell: PhaseChange | undefined; most: number }): ReactElement {
  if (cell === undefined) return <td className="matrix__cell muted">–</td>
  return (
    <td className="matrix__cell" style={{ '--share': String(cell.users / most) } as Record<string, string>}>
      <strong className="tabular-nums">{formatInteger(cell.users)}</strong>
      <span className="small" title="Median time in the phase before">
        {' '}
        after {formatCoarseDuration(cell.medianMs)}
      </span>
    </td>
  )
}

function keyOf(from: string | null, to: string | null): string {
  return JSON.stringify([from, to])
}
