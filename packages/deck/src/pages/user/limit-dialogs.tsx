import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { limitName, measureName, windowName } from '../../api/limit-names.ts'
import { plansQuery } from '../../api/queries.ts'
import type { Bond, LimitState } from '../../api/wire.ts'
import { now } from '../../browser/effects.ts'
import { FormDialog } from '../../components/dialog.tsx'
import { Field } from '../../components/field.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { ReasonField } from '../../components/reason-field.tsx'
import { Select } from '../../components/select.tsx'
import { type AmountKind, AmountOptions } from './amount-options.tsx'
import { useResetLimit, useSetLimit, useSetPlan } from './use-user-mutations.ts'

interface LimitDialogProps {
  readonly bond: Bond
  readonly limit: LimitState
  close(): void
}

const DAY_MS = 86_400_000
const DURATIONS = [
  ['', 'until changed'],
  [String(DAY_MS), '1 day'],
  [String(7 * DAY_MS), '1 week'],
  [String(30 * DAY_MS), '30 days'],
] as const

/** Money is decimal text; everything else is a whole number. */
function isAmount(text: string, measure: string): boolean {
  return measure === 'cost' ? /^\d{1,9}(\.\d{1,9})?$/.test(text) : /^\d{1,12}$/.test(text)
}

export function LimitDialog({ bond, limit, close }: LimitDialogProps): ReactElement {
  const setLimit = useSetLimit(bond, limit)
  const [kind, setKind] = useState<AmountKind>(
    limit.origin !== 'user' ? 'default' : limit.max === null ? 'unlimited' : 'number',
  )
  const [amount, setAmount] = useState(limit.max === null ? '' : String(limit.max))
  const [durationMs, setDurationMs] = useState<string>('')
  const [reason, setReason] = useState('')
  const max = { number: limit.measure === 'cost' ? amount : Number(amount), unlimited: null, default: 'default' }[kind]
  return (
    <FormDialog
      title={`Change ${limit.name}`}
      lead={`${measureName(limit.measure)}, ${windowName(limit)}. What was used already counts.`}
      submitLabel="Change the limit"
      isComplete={kind !== 'number' || isAmount(amount, limit.measure)}
      mutation={setLimit}
      submit={() => {
        const until = durationMs === '' ? null : new Date(now() + Number(durationMs)).toISOString()
        setLimit.mutate({ max, until, reason }, { onSuccess: close })
      }}
      close={close}
    >
      <AmountOptions
        legend="Limit"
        unit={measureName(limit.measure)}
        kind={kind}
        amount={amount}
        setKind={setKind}
        setAmount={setAmount}
      />
      {kind !== 'default' && (
        <Field label="For">
          {(control) => <Select {...control} value={durationMs} options={DURATIONS} onChange={setDurationMs} />}
        </Field>
      )}
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}

export function ResetLimitDialog({ bond, limit, close }: LimitDialogProps): ReactElement {
  const resetLimit = useResetLimit(bond, limit)
  const [reason, setReason] = useState('')
  return (
    <FormDialog
      title={`Reset ${limitName(limit.name)}?`}
      lead="What was used in the current window is set to 0. This cannot be undone."
      submitLabel="Reset"
      isComplete={reason.trim() !== ''}
      mutation={resetLimit}
      submit={() => resetLimit.mutate({ reason }, { onSuccess: close })}
      close={close}
    >
      <ReasonField value={reason} onChange={setReason} isRequired />
    </FormDialog>
  )
}

const DEFAULT_PLAN = ''

export function PlanDialog({ bond, close }: { bond: Bond; close(): void }): ReactElement {
  const setPlan = useSetPlan(bond)
  const plans = useQuery(plansQuery)
  const [plan, setPlanName] = useState(bond.planOrigin === 'user' ? (bond.plan ?? DEFAULT_PLAN) : DEFAULT_PLAN)
  const [reason, setReason] = useState('')
  const hasPlans = (plans.data?.data.length ?? 0) > 0
  return (
    <FormDialog
      title="Change plan"
      lead={`What ${bond.user} may use and runs on. Use already counted stays.`}
      submitLabel="Change the plan"
      isComplete={hasPlans}
      mutation={setPlan}
      submit={() => setPlan.mutate({ plan: plan === DEFAULT_PLAN ? null : plan, reason }, { onSuccess: close })}
      close={close}
    >
      <QueryResult query={plans} name="plans">
        {({ data }) => {
          if (data.length === 0) return <p>No plans are configured. Add them to the configuration under “plans”.</p>
          const byDefault = data.find(({ isDefault }) => isDefault)?.name ?? 'none'
          const options = [
            [DEFAULT_PLAN, `default (${byDefault})`] as const,
            ...data.map(({ name }) => [name, name] as const),
          ]
          return (
            <Field label="Plan">
              {(control) => <Select {...control} value={plan} options={options} onChange={setPlanName} />}
            </Field>
          )
        }}
      </QueryResult>
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}
