import './recent-changes-card.css'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import type { ReactElement, ReactNode } from 'react'
import { limitPhrase } from '../../api/limit-names.ts'
import { eventsQuery, userUsageQuery } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { useIsNarrow } from '../../browser/use-is-narrow.ts'
import { Button } from '../../components/button.tsx'
import { Card } from '../../components/card.tsx'
import { DescriptionItem, DescriptionList } from '../../components/description-list.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { PhaseTag, RiskTag } from '../../components/tags.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { formatInteger, formatTimes, pluralize } from '../../format-number.ts'
import { useNow, useZone } from '../../time/clock.ts'
import { lastDays } from '../../time/days.ts'
import { formatDateTime, formatInstantsIn } from '../../time/format-time.ts'
import { type PageRange, PRESETS, parsePageRange } from './page-range.ts'
import {
  type Action,
  CHANGE_TYPES,
  type RecentChanges,
  type Step,
  sumDays,
  summarizeChanges,
} from './recent-changes.ts'

/** Values of one row; of more, the last ones are shown. */
const SHOWN_STEPS = 6
const SHOWN_ACTIONS = 4
const WEEK_DAYS = 7

/** What changed in the range of the page, or in the last 7 days where it shows everything. */
export function RecentChangesCard(props: {
  bond: Bond
  range: PageRange
  vocabulary: Vocabulary
  /** Shows the events of the period. */
  showEvents(preset: string | null): void
}): ReactElement {
  const { bond, vocabulary } = props
  const now = useNow()
  const isNarrow = useIsNarrow()
  const zone = useZone(bond.timeZone)
  const range = props.range.preset === '' ? parsePageRange('week', { from: 0, to: now }) : props.range
  const log = useInfiniteQuery(eventsQuery(bond.user, { types: CHANGE_TYPES, period: range.period }))
  const preset = PRESETS.find(([name]) => name === range.preset)?.[1]
  const title =
    preset === undefined
      ? `What changed, ${formatDateTime(range.from, zone)} to ${formatDateTime(range.to, zone)}`
      : `What changed in the last ${preset}`
  return (
    <Card
      title={title}
      id="changes"
      aside={
        <Button size="small" onClick={() => props.showEvents(range.preset)}>
          Show the events
        </Button>
      }
    >
      <QueryResult query={log} name="what changed" lines={isNarrow ? 14 : 6}>
        {({ pages }) => {
          const changes = summarizeChanges(pages.flatMap(({ data }) => data))
          return (
            <DescriptionList>
              <ChangeRows changes={changes} bond={bond} vocabulary={vocabulary} />
              {range.preset === 'week' && <WeekUse bond={bond} />}
              {log.hasNextPage && (
                <DescriptionItem name="Before that">
                  <span className="muted">more changes, which are in the events</span>
                </DescriptionItem>
              )}
            </DescriptionList>
          )
        }}
      </QueryResult>
    </Card>
  )
}

function ChangeRows(props: { changes: RecentChanges; bond: Bond; vocabulary: Vocabulary }): ReactElement {
  const { changes, bond, vocabulary } = props
  const { risk, phase, reached, providerRefusals, actions, notes } = changes
  const zone = bond.timeZone
  return (
    <>
      <DescriptionItem name="Risk">
        <Steps
          steps={risk}
          still={bond.riskLevel}
          zone={zone}
          render={(level) => <RiskTag level={level} vocabulary={vocabulary} />}
        />
      </DescriptionItem>
      <DescriptionItem name="Phase">
        <Steps
          steps={phase}
          still={bond.phase}
          zone={zone}
          render={(name) => <PhaseTag phase={name} vocabulary={vocabulary} />}
        />
      </DescriptionItem>
      {(reached.length > 0 || providerRefusals > 0) && (
        <DescriptionItem name="Limits">
          {reached.map(({ name, count, lastAt }) => (
            <span key={name} className="changes__line">
              A turn would have exceeded {limitPhrase(name)} {formatTimes(count)}, last{' '}
              <RelativeTime at={lastAt} zone={zone} />
            </span>
          ))}
          {providerRefusals > 0 && (
            <span className="changes__line">The provider refused a request {formatTimes(providerRefusals)}</span>
          )}
        </DescriptionItem>
      )}
      <DescriptionItem name="By people">
        {actions.length === 0 && notes === 0 && <span className="muted">nothing</span>}
        {actions.slice(0, SHOWN_ACTIONS).map((action) => (
          <ActionLine key={action.sequence} action={action} zone={zone} />
        ))}
        {actions.length > SHOWN_ACTIONS && (
          <span className="changes__line muted">{pluralize(actions.length - SHOWN_ACTIONS, 'further change')}</span>
        )}
        {notes > 0 && <span className="changes__line">{pluralize(notes, 'note')}</span>}
      </DescriptionItem>
    </>
  )
}

/** `low → guarded → high, 3 min ago`. */
function Steps(props: {
  steps: readonly Step[]
  /** The value when there was no change. */
  still: string
  zone: string
  render(value: string): ReactNode
}): ReactElement {
  const { steps, still, zone, render } = props
  const last = steps.at(-1)
  if (last === undefined) {
    return (
      <span className="changes__steps">
        {render(still)} <span className="muted">all the time</span>
      </span>
    )
  }
  const shown = steps.slice(-SHOWN_STEPS)
  return (
    <span className="changes__steps">
      {steps.length > SHOWN_STEPS && <span className="muted">…</span>}
      {shown.map((step, index) => (
        <span key={`${step.at}`} className="changes__step">
          {index > 0 && (
            <>
              <span className="muted" aria-hidden="true">
                →
              </span>
              <span className="sr-only">to</span>
            </>
          )}
          {render(step.value)}
        </span>
      ))}
      <span className="muted">
        <RelativeTime at={last.at} zone={zone} />
      </span>
    </span>
  )
}

function ActionLine({ action, zone }: { action: Action; zone: string }): ReactElement {
  const { actor, text, reason, at } = action
  const shownZone = useZone(zone)
  return (
    <span className="changes__line">
      {formatInstantsIn(text, shownZone)} <span className="muted">by</span> {actor},{' '}
      <RelativeTime at={at} zone={zone} />
      {reason !== undefined && <span className="changes__reason">: “{reason}”</span>}
    </span>
  )
}

/** Turns of the last 7 days of the user, against the 7 days before. */
function WeekUse({ bond }: { bond: Bond }): ReactElement | null {
  const days = lastDays(useNow(), 2 * WEEK_DAYS, bond.timeZone)
  const usage = useQuery(userUsageQuery(bond.user, days[0])).data?.data
  const [start, middle] = [days[0] ?? '', days[WEEK_DAYS] ?? '']
  const week = usage === undefined ? undefined : sumDays(usage, { from: middle, to: '9999' })
  const before = usage === undefined ? undefined : sumDays(usage, { from: start, to: middle })
  return (
    <DescriptionItem name="Turns">
      {week === undefined || before === undefined ? (
        '…'
      ) : (
        <>
          {formatInteger(week.turns)}
          {week.refused > 0 && `, and ${formatInteger(week.refused)} refused`}
          <span className="muted">; {formatInteger(before.turns)} in the 7 days before</span>
        </>
      )}
    </DescriptionItem>
  )
}
