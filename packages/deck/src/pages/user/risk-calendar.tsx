import './risk-calendar.css'
import type { ReactElement } from 'react'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond, Event } from '../../api/wire.ts'
import { Card } from '../../components/card.tsx'
import { heatOf, RiskTag } from '../../components/tags.tsx'
import { useNow } from '../../time/clock.ts'
import { lastDays } from '../../time/days.ts'
import { formatDate } from '../../time/format-time.ts'
import { findRiskByDay, type RiskDay, weekdayOf } from './risk-by-day.ts'
import type { TimeRange } from './segment.ts'
import { buildTracks } from './timeline-tracks.ts'

const DAY_MS = 86_400_000
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
const MIN_DAYS = 35
const MAX_DAYS = 26 * 7

/** The highest risk of each day, one column for each week. `known` is the period whose events are loaded. */
export function RiskCalendar(props: {
  bond: Bond
  events: readonly Event[]
  known: TimeRange
  vocabulary: Vocabulary
}): ReactElement {
  const { bond, events, known, vocabulary } = props
  const now = useNow()
  const count = Math.min(MAX_DAYS, Math.max(MIN_DAYS, Math.ceil((now - known.from) / DAY_MS) + 1))
  const track = buildTracks({ bond, events, range: known, isCurrent: true }).find(({ name }) => name === 'Risk')
  const days = findRiskByDay(track?.segments ?? [], lastDays(now, count, bond.timeZone), {
    timeZone: bond.timeZone,
    rankOf: vocabulary.rankOf,
  })
  const levels = vocabulary.riskLevels.filter((level) => days.some((day) => day.level === level))
  return (
    <Card
      title="Risk by day"
      id="risk-calendar"
      aside={<span className="muted small">since {formatDate(days[0]?.day ?? '')}</span>}
    >
      <ol className="calendar" aria-label="Highest risk of each day">
        {WEEKDAYS.map((name) => (
          <li key={name} className="calendar__weekday" aria-hidden="true">
            {name}
          </li>
        ))}
        {days.map((day, index) => (
          <CalendarDay key={day.day} day={day} vocabulary={vocabulary} isFirst={index === 0} />
        ))}
      </ol>
      <ul className="calendar__legend small" aria-hidden="true">
        {levels.map((level) => (
          <li key={level}>
            {(vocabulary.rankOf(level) ?? 0) > 0 && `${vocabulary.rankOf(level)} is `}
            <RiskTag level={level} vocabulary={vocabulary} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** The rank is written into the cell, so that its color is not the only sign. */
function CalendarDay(props: { day: RiskDay; vocabulary: Vocabulary; isFirst: boolean }): ReactElement {
  const { day, level } = props.day
  const text = `${formatDate(day)}: ${level ?? 'not known'}`
  const rank = level === null ? null : props.vocabulary.rankOf(level)
  return (
    <li
      className="calendar__day"
      title={text}
      {...(level === null ? {} : { 'data-heat': heatOf(level, props.vocabulary) })}
      style={props.isFirst ? { gridRowStart: weekdayOf(day) + 1, gridColumnStart: 2 } : {}}
    >
      <span aria-hidden="true">{rank === null || rank === 0 ? '' : rank}</span>
      <span className="sr-only">{text}</span>
    </li>
  )
}
