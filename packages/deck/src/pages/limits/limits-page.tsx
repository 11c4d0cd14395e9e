import './limits-page.css'
import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import { LIMIT_CHANGES } from '../../api/event-labels.ts'
import { formatLimitAmount, limitName, measureName, windowName } from '../../api/limit-names.ts'
import { configurationQuery, plansQuery } from '../../api/queries.ts'
import type { Limit, Plan } from '../../api/wire.ts'
import { auditPath } from '../../browser/location.ts'
import { Badge } from '../../components/badge.tsx'
import { Card } from '../../components/card.tsx'
import { CodeBlock } from '../../components/code-block.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { EmptyState } from '../../components/empty-state.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { formatPercent } from '../../format-number.ts'
import { Page, PageHeader, usePageTitle } from '../../layout/page.tsx'
import { type PlanRule, rulesOf } from './plan-rules.ts'
import { WhatIfCard } from './what-if-card.tsx'

const COLUMNS = [
  { name: 'Rule' },
  { name: 'At most', isNumeric: true },
  { name: 'Of' },
  { name: 'Window' },
  { name: 'When it is reached' },
  { name: 'Alerts at' },
] as const

const EXAMPLE = JSON.stringify(
  {
    plans: {
      free: { limits: [{ name: 'tokens-5h', measure: 'tokens', max: 50_000, window: '5h', alertAt: [0.8] }] },
      pro: { extends: 'free', limits: [{ name: 'tokens-5h', measure: 'tokens', max: 500_000, window: '5h' }] },
    },
    ledger: { plan: 'free' },
  },
  null,
  2,
)

/** The rules of every user and of the plans, as configured. */
export function LimitsPage(): ReactElement {
  const plans = useQuery(plansQuery)
  const configuration = useQuery(configurationQuery)
  usePageTitle('Limits')
  return (
    <Page>
      <PageHeader
        title="Limits"
        lead="Plans and their rules, as configured. A user’s own limits are on the user’s page."
      >
        <Link href={auditPath({ action: LIMIT_CHANGES })}>Changes of limits and plans</Link>
      </PageHeader>
      <Card title="Every user" id="every-user" aside={<span className="muted small">A plan can replace a rule</span>}>
        <QueryResult query={configuration} name="limits of every user" lines={2}>
          {({ limits }) => <RuleTable name="every user" rules={limits.map((limit) => ({ limit, from: null }))} />}
        </QueryResult>
      </Card>
      <QueryResult query={plans} name="plans" lines={6} shape="card">
        {({ data }) => (
          <>
            {data.length === 0 && <NoPlans />}
            {data.map((plan) => (
              <PlanCard key={plan.name} plan={plan} rules={rulesOf(plan, data, configuration.data?.limits ?? [])} />
            ))}
            {configuration.data !== undefined && <WhatIfCard plans={data} everyUser={configuration.data.limits} />}
          </>
        )}
      </QueryResult>
    </Page>
  )
}

function NoPlans(): ReactElement {
  return (
    <EmptyState title="No plans yet">
      <p>Plans are named sets of limits. Add them to the configuration file and restart:</p>
      <div className="limits-page__example">
        <CodeBlock text={EXAMPLE} copyLabel="Copy the example" />
      </div>
    </EmptyState>
  )
}

function PlanCard({ plan, rules }: { plan: Plan; rules: readonly PlanRule[] }): ReactElement {
  const { name, runtime, isDefault } = plan
  return (
    <Card
      title={name}
      id={`plan-${name}`}
      aside={
        <span className="limits-page__badges">
          {isDefault && <Badge tone="accent" text="default plan" />}
          {plan.extends !== null && <Badge tone="neutral" text={`extends ${plan.extends}`} />}
        </span>
      }
    >
      {rules.length === 0 ? <p className="muted">No rules.</p> : <RuleTable name={name} rules={rules} />}
      {Object.keys(runtime).length > 0 && (
        <p className="limits-page__runtime muted small">
          Runs on <span className="mono">{describeRuntime(runtime)}</span>
        </p>
      )}
    </Card>
  )
}

function RuleTable({ name, rules }: { name: string; rules: readonly PlanRule[] }): ReactElement {
  return (
    <div className="limits-page__rules">
      <ScrollArea label={`Rules of ${name}`}>
        <DataTable label={`Rules of ${name}`} columns={COLUMNS}>
          {rules.map((rule) => (
            <RuleRow key={rule.limit.name} rule={rule} />
          ))}
        </DataTable>
      </ScrollArea>
    </div>
  )
}

function RuleRow({ rule }: { rule: PlanRule }): ReactElement {
  const { limit, from } = rule
  const { name, measure, max, mode, window, models, alertAt = [], onLimit } = limit
  return (
    <tr>
      <th scope="row">
        {limitName(name)} {mode === 'observe' && <Badge tone="neutral" text="observes" />}
        {from !== null && <span className="muted small">from {from}</span>}
      </th>
      <td className="data-table__number">{max === null ? 'no limit' : formatLimitAmount(limit, max)}</td>
      <td>{measureName(measure)}</td>
      <td>{windowName({ window: window ?? null, models: models ?? null })}</td>
      <td>{consequenceOf(onLimit, mode)}</td>
      <td>{alertAt.length === 0 ? <span className="muted">–</span> : alertAt.map(formatPercent).join(', ')}</td>
    </tr>
  )
}

function consequenceOf(onLimit: Limit['onLimit'], mode: Limit['mode']): string {
  if (mode === 'observe') return 'only recorded'
  if (onLimit === undefined || onLimit === 'refuse') return 'refused'
  const { provider, model } = onLimit
  return `goes on with ${provider === undefined ? model : `${provider}/${model}`}`
}

/** `provider/model`, and further settings as they are configured. */
function describeRuntime({ provider, model, ...others }: Readonly<Record<string, unknown>>): string {
  const selected = [provider, model].filter((part) => part !== undefined).join('/')
  const rest = Object.keys(others).length === 0 ? '' : JSON.stringify(others)
  return [selected, rest].filter((part) => part !== '').join(' ')
}
