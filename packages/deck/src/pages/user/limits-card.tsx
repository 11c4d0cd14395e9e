import './limits-card.css'
import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { Link } from 'wouter'
import { concernsLimits, detailOf, LIMIT_CHANGES } from '../../api/event-labels.ts'
import { formatLimitAmount, formatRemaining, limitName, measureName, windowName } from '../../api/limit-names.ts'
import { configurationQuery, limitChangesQuery, limitsQuery } from '../../api/queries.ts'
import type { Bond, Event, LimitState } from '../../api/wire.ts'
import { auditPath } from '../../browser/location.ts'
import { Badge } from '../../components/badge.tsx'
import { Button } from '../../components/button.tsx'
import { Card } from '../../components/card.tsx'
import { LimitMeter, usedPartOfLimit } from '../../components/limit-usage.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { RelativeTime, ZonedTime } from '../../components/timestamps.tsx'
import { useCan } from '../../layout/session.ts'
import { LimitDialog, PlanDialog, ResetLimitDialog } from './limit-dialogs.tsx'
import { lastChangeOf } from './recent-changes.ts'
import { CapDialog } from './user-dialogs.tsx'

type DialogState = { readonly kind: 'plan' } | { readonly kind: 'set' | 'reset'; readonly limit: LimitState }

/** The plan of a user, and what was used under each limit, in the order in which they decide. */
export function LimitsCard({ bond }: { bond: Bond }): ReactElement {
  const limits = useQuery(limitsQuery(bond.user))
  const changes = useQuery(limitChangesQuery(bond.user)).data?.data ?? []
  const planChange = changes.find(({ type }) => type === 'plan_change')
  const [dialog, setDialog] = useState<DialogState | null>(null)
  const canOperate = useCan('operator')
  const close = (): void => setDialog(null)
  return (
    <Card
      title="Limits"
      id="limits"
      aside={
        <span className="limits-card__plan">
          <span className="muted small">
            {bond.plan === null ? 'no plan' : `plan ${bond.plan}${bond.planOrigin === 'default' ? ', by default' : ''}`}
          </span>
          {canOperate && (
            <Button size="small" onClick={() => setDialog({ kind: 'plan' })}>
              Change plan
            </Button>
          )}
        </span>
      }
    >
      {planChange !== undefined && <LastChange event={planChange} timeZone={bond.timeZone} />}
      <QueryResult query={limits} name="limits">
        {({ data }) => (
          <ul className="limits-card__list">
            {data.map((limit) => (
              <LimitItem
                key={limit.name}
                limit={limit}
                change={lastChangeOf(changes, limit.name)}
                timeZone={bond.timeZone}
                {...(canOperate ? { open: (kind: 'set' | 'reset') => setDialog({ kind, limit }) } : {})}
              />
            ))}
          </ul>
        )}
      </QueryResult>
      {changes.some(concernsLimits) && (
        <p className="limits-card__audit small">
          <Link href={auditPath({ user: bond.user, action: LIMIT_CHANGES })}>All changes of limits and plan</Link>
        </p>
      )}
      {dialog?.kind === 'plan' && <PlanDialog bond={bond} close={close} />}
      {dialog?.kind === 'set' && dialog.limit.name === 'daily' && <CapDialog bond={bond} close={close} />}
      {dialog?.kind === 'set' && dialog.limit.name !== 'daily' && (
        <LimitDialog bond={bond} limit={dialog.limit} close={close} />
      )}
      {dialog?.kind === 'reset' && <ResetLimitDialog bond={bond} limit={dialog.limit} close={close} />}
    </Card>
  )
}

/** Limits that are not those of the configuration or of the plan. */
const OWN_ORIGINS: Readonly<Record<string, string>> = { user: 'set for this user', self: 'set by the person' }

/** `open` is absent for those who only read. */
function LimitItem(props: {
  limit: LimitState
  change: Event | undefined
  timeZone: string
  open?: (kind: 'set' | 'reset') => void
}): ReactElement {
  const { limit, open } = props
  const { level } = usedPartOfLimit(limit)
  const currency = useQuery(configurationQuery).data?.currency
  const measure = limit.measure === 'cost' && currency !== undefined ? currency : measureName(limit.measure)
  return (
    <li className="limit" data-level={level}>
      <div className="limit__row">
        <div className="limit__title">
          <strong className="limit__name">{limitName(limit.name)}</strong>
          <span className="muted small">{windowName(limit)}</span>
          {limit.mode === 'observe' && <Badge tone="neutral" text="observes" />}
          {OWN_ORIGINS[limit.origin] !== undefined && <Badge tone="accent" text={OWN_ORIGINS[limit.origin] ?? ''} />}
        </div>
        {open !== undefined && (
          <div className="limit__actions">
            <Button size="small" onClick={() => open('set')} aria-label={`Change ${limitName(limit.name)}`}>
              Change
            </Button>
            {Number(limit.used) > 0 && limit.measure !== 'concurrent' && (
              <Button size="small" onClick={() => open('reset')} aria-label={`Reset ${limitName(limit.name)}`}>
                Reset
              </Button>
            )}
          </div>
        )}
      </div>
      <p className="limit__figures tabular-nums">
        <span className="limit__used">{formatLimitAmount(limit, limit.used)}</span>
        <span className="muted">
          {limit.max === null ? ` ${measure}, no limit` : ` of ${formatLimitAmount(limit, limit.max)} ${measure}`}
          {Number(limit.held) > 0 && `, ${formatLimitAmount(limit, limit.held)} held by turns in progress`}
        </span>
      </p>
      {limit.max !== null && <LimitMeter limit={limit} />}
      <LimitReset limit={limit} timeZone={props.timeZone} />
      {props.change !== undefined && <LastChange event={props.change} timeZone={props.timeZone} />}
    </li>
  )
}

/** What is left of a limit, when it resets, and until when it is the user's own. */
function LimitReset({ limit, timeZone }: { limit: LimitState; timeZone: string }): ReactElement {
  const { level } = usedPartOfLimit(limit)
  return (
    <p className="limit__reset small muted">
      {level === 'full' && <strong className="limit__reached">Limit reached. </strong>}
      {level !== 'full' && limit.remaining !== null && `${formatRemaining(limit)} left. `}
      {limit.resetAt === null ? (
        limit.max !== null && (limit.window === 'total' ? 'Never resets.' : '')
      ) : (
        <>
          Resets <RelativeTime at={limit.resetAt} zone={timeZone} />, at{' '}
          <ZonedTime at={limit.resetAt} zone={timeZone} />
        </>
      )}
      {limit.until !== null && (
        <>
          {' '}
          Own limit until <ZonedTime at={limit.until} zone={timeZone} />.
        </>
      )}
    </p>
  )
}

/** Who changed a limit or the plan last, from what to what, when and why. */
function LastChange({ event, timeZone }: { event: Event; timeZone: string }): ReactElement {
  const { at, actor, reason, data } = event
  // The end of a limit is named beside its reset.
  const text = detailOf(event)
    .replace(`${String(data.limit)}: `, '')
    .replace(/ until \S+Z$/, '')
  return (
    <p className="limits-card__change small">
      <strong>{actor ?? 'app'}</strong> changed it <RelativeTime at={at} zone={timeZone} />: {text}
      {reason !== undefined && <span className="limits-card__reason"> “{reason}”</span>}
    </p>
  )
}
