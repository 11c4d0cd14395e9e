import './what-if-card.css'
import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, type ReactElement, useState } from 'react'
import { Link } from 'wouter'
import { callApi } from '../../api/client.ts'
import { measureName, windowName } from '../../api/limit-names.ts'
import { refusalsSinceQuery } from '../../api/queries.ts'
import type { Limit, Plan, Simulation } from '../../api/wire.ts'
import { now } from '../../browser/effects.ts'
import { userPath } from '../../browser/location.ts'
import { Button } from '../../components/button.tsx'
import { Card } from '../../components/card.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { ErrorMessage } from '../../components/error-message.tsx'
import { Field } from '../../components/field.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { Select } from '../../components/select.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { formatInteger, formatPercent, pluralize } from '../../format-number.ts'
import { isMaximum, type ProposedMaxima, proposeLimits, proposePlans } from './what-if.ts'

const DAY_MS = 86_400_000
/** Users in the table; all are counted. */
const SHOWN_USERS = 50

const PERIODS = [
  ['1', 'the last 24 hours'],
  ['7', 'the last 7 days'],
  ['30', 'the last 30 days'],
] as const

/** Stands for the rules of every user; no plan has an empty name. */
const EVERY_USER = ''

const COLUMNS = [
  { name: 'User' },
  { name: 'Refused turns', isNumeric: true },
  { name: 'First' },
  { name: 'By' },
] as const

/** Replays the recorded turns with other maxima, and shows who would be refused. Nothing is changed. */
export function WhatIfCard(props: { plans: readonly Plan[]; everyUser: readonly Limit[] }): ReactElement {
  const { plans, everyUser } = props
  const choices = plans.filter(({ limits }) => limits.length > 0)
  const [name, setName] = useState(choices[0]?.name ?? EVERY_USER)
  const [maxima, setMaxima] = useState<ProposedMaxima>({})
  const [days, setDays] = useState('7')
  const limits = choices.find((choice) => choice.name === name)?.limits ?? everyUser
  const simulate = useMutation({
    mutationFn: async ({ since, ...proposed }: Record<string, unknown> & { readonly since: string }) => ({
      since,
      result: await callApi('POST /api/limits/simulate', { body: { ...proposed, since } }),
    }),
  })
  const isComplete = limits.every((limit) => isMaximum(maxima[limit.name] ?? '', limit.measure))
  function submit(event: FormEvent): void {
    event.preventDefault()
    const since = new Date(now() - Number(days) * DAY_MS).toISOString()
    const proposed =
      name === EVERY_USER ? { limits: proposeLimits(everyUser, maxima) } : { plans: proposePlans(plans, name, maxima) }
    simulate.mutate({ ...proposed, since })
  }
  return (
    <Card title="What if?" id="what-if">
      <p className="muted what-if__lead">
        Replays the turns that were recorded with other maxima, and shows who would be refused. Nothing is changed.
      </p>
      <form className="what-if__form" onSubmit={submit}>
        <Field label="Rules of">
          {(control) => (
            <Select
              {...control}
              value={name}
              options={[
                ...choices.map((choice) => [choice.name, `plan ${choice.name}`] as const),
                [EVERY_USER, 'every user'] as const,
              ]}
              onChange={(next) => {
                setName(next)
                setMaxima({})
              }}
            />
          )}
        </Field>
        {limits.map((limit) => (
          <Field key={limit.name} label={limit.name} hint={`${measureName(limit.measure)}, ${windowOf(limit)}`}>
            {(control) => (
              <input
                {...control}
                inputMode={limit.measure === 'cost' ? 'decimal' : 'numeric'}
                autoComplete="off"
                placeholder="no limit"
                value={maxima[limit.name] ?? String(limit.max ?? '')}
                onInput={(event) => setMaxima({ ...maxima, [limit.name]: event.currentTarget.value })}
              />
            )}
          </Field>
        ))}
        <Field label="In">
          {(control) => <Select {...control} value={days} options={PERIODS} onChange={setDays} />}
        </Field>
        <Button type="submit" variant="primary" disabled={!isComplete || simulate.isPending}>
          {simulate.isPending ? 'Simulating…' : 'Simulate'}
        </Button>
      </form>
      {simulate.isError && <ErrorMessage error={simulate.error} />}
      {simulate.data !== undefined && <Result simulation={simulate.data.result} since={simulate.data.since} />}
    </Card>
  )
}

function windowOf({ window, models }: Plan['limits'][number]): string {
  return windowName({ window: window ?? null, models: models ?? null })
}

function Result({ simulation, since }: { simulation: Simulation; since: string }): ReactElement {
  const really = useQuery(refusalsSinceQuery(since)).data
  const { turns, refused, users, complete } = simulation
  return (
    <div className="what-if__result" role="status">
      <p>
        {refused === 0 ? (
          `None of ${pluralize(turns, 'turn')} would be refused.`
        ) : (
          <>
            <strong>
              {formatInteger(refused)} of {pluralize(turns, 'turn')}
            </strong>{' '}
            would be refused ({formatPercent(refused / turns)}), of {pluralize(users.length, 'user')}.
          </>
        )}
        {really !== undefined &&
          ` In the same days ${pluralize(really, 'turn')} really ${really === 1 ? 'was' : 'were'} refused by limits; they were not replayed.`}
        {!complete && ' Records do not reach back far enough to fill every window: it may be more.'}
      </p>
      {users.length > 0 && (
        <ScrollArea label="Who would be refused">
          <DataTable label="Who would be refused" compact columns={COLUMNS}>
            {users.slice(0, SHOWN_USERS).map(({ user, refused: times, firstAt, limit }) => (
              <tr key={user}>
                <th scope="row">
                  <Link href={userPath(user)} className="what-if__user">
                    <bdi>{user}</bdi>
                  </Link>
                </th>
                <td className="data-table__number">{formatInteger(times)}</td>
                <td>
                  <RelativeTime at={firstAt} />
                </td>
                <td>{limit}</td>
              </tr>
            ))}
          </DataTable>
        </ScrollArea>
      )}
      {users.length > SHOWN_USERS && (
        <p className="muted small">And {pluralize(users.length - SHOWN_USERS, 'further user')}.</p>
      )}
    </div>
  )
}
