import { detailOf, labelOf } from '../../api/event-labels.ts'
import type { Event, UsageSum } from '../../api/wire.ts'

/** The types of events that are summed up. */
export const CHANGE_TYPES =
  'phase_transition,risk_change,limit_reached,limit_change,plan_change,provider_refusal,admin_action'

/** What changed for a user in a period, from its events. */
export interface RecentChanges {
  /** The values from the start of the period on, the oldest first; empty: no change. */
  readonly risk: readonly Step[]
  readonly phase: readonly Step[]
  /** Limits that were reached, those that were reached last first. */
  readonly reached: readonly { readonly name: string; readonly count: number; readonly lastAt: string }[]
  readonly providerRefusals: number
  /** What people did, but for notes, and changes of limits and plans; newest first. */
  readonly actions: readonly Action[]
  readonly notes: number
}

export interface Step {
  readonly value: string
  /** Null: since before the period. */
  readonly at: string | null
}

export interface Action {
  readonly sequence: number
  readonly at: string
  readonly actor: string
  /** `Daily cap 8 → 12 turns a day` */
  readonly text: string
  readonly reason: string | undefined
}

/** Sums up the events of a period, which are the newest first. */
export function summarizeChanges(events: readonly Event[]): RecentChanges {
  const reached = Map.groupBy(
    events.filter(({ type, data }) => type === 'limit_reached' && data.mode !== 'observe'),
    ({ data }) => String(data.limit),
  )
  const isNote = ({ data }: Event): boolean => data.action === 'note'
  const actions = events.filter(({ type }) => ['admin_action', 'limit_change', 'plan_change'].includes(type))
  return {
    risk: stepsOf(events, { type: 'risk_change', field: 'riskLevel' }),
    phase: stepsOf(events, { type: 'phase_transition', field: 'phase' }),
    reached: [...reached].map(([name, all]) => ({ name, count: all.length, lastAt: all[0]?.at ?? '' })),
    providerRefusals: events.filter(({ type }) => type === 'provider_refusal').length,
    actions: actions.filter((event) => !isNote(event)).map(actionOf),
    notes: actions.filter(isNote).length,
  }
}

/** Detections, and the corrections of a `field`, which are actions. */
function stepsOf(
  events: readonly Event[],
  { type, field }: { readonly type: string; readonly field: string },
): readonly Step[] {
  const steps: Step[] = []
  for (const event of events.toReversed()) {
    const change = event.type === type ? event.data : correctionOf(event, field)
    if (typeof change?.to !== 'string') continue
    if (steps.length === 0 && typeof change.from === 'string') steps.push({ value: change.from, at: null })
    steps.push({ value: change.to, at: event.at })
  }
  return steps
}

function correctionOf({ data }: Event, field: string): { readonly from: unknown; readonly to: unknown } | undefined {
  if (data.action !== 'correct') return undefined
  const [before, after] = [data.before, data.after] as (Record<string, unknown> | null)[]
  return { from: before?.[field], to: after?.[field] }
}

function actionOf(event: Event): Action {
  const { sequence, at, actor, reason } = event
  return { sequence, at, actor: actor ?? 'app', text: `${labelOf(event).name} ${detailOf(event)}`.trim(), reason }
}

/** The last change that a person or the application made to a limit of the user. `events`: the newest first. */
export function lastChangeOf(events: readonly Event[], limit: string): Event | undefined {
  return events.find(({ type, data }) =>
    data.action === 'cap' ? limit === 'daily' : type === 'limit_change' && data.limit === limit,
  )
}

/** Turns and refused turns of the days from `from` on, before `to`. */
export function sumDays(
  sums: readonly UsageSum[],
  { from, to }: { readonly from: string; readonly to: string },
): { readonly turns: number; readonly refused: number } {
  const days = sums.filter(({ key }) => key !== null && key >= from && key < to)
  const add = (pick: (sum: UsageSum) => number): number => days.reduce((total, sum) => total + pick(sum), 0)
  return { turns: add(({ turns }) => turns), refused: add(({ refused }) => refused) }
}
