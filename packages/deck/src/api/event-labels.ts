import { formatLimitAmount, measureName } from './limit-names.ts'
import type { Event } from './wire.ts'

/** Each kind has its own marker shape and its own tint. */
export type EventKind = 'phase' | 'risk' | 'attribute' | 'limit' | 'operator' | 'application'

export interface EventLabel {
  readonly name: string
  readonly kind: EventKind
}

/** What concerns limits and the plan. Changes of the daily cap are actions. */
const LIMIT_TYPES = 'limit_reached,limit_threshold,limit_change,plan_change,admin_action'

/** Whether an event of the types of a filter is meant by it. */
export function isMeantBy(types: string, event: Pick<Event, 'type' | 'data'>): boolean {
  return types !== LIMIT_TYPES || concernsLimits(event)
}

/** Whether an event of the types for limits concerns them: of actions, only changes of the daily cap do. */
export function concernsLimits({ type, data }: Pick<Event, 'type' | 'data'>): boolean {
  return type !== 'admin_action' || data.action === 'cap'
}

/** The filters of the log; `types` are those of the API. */
export const EVENT_FILTERS: readonly { readonly types: string; readonly name: string }[] = [
  { types: 'phase_transition', name: 'Phase' },
  { types: 'risk_change', name: 'Risk' },
  { types: 'phase_transition,risk_change', name: 'Phase and risk' },
  { types: 'attribute_change', name: 'Attributes' },
  { types: LIMIT_TYPES, name: 'Limits and plan' },
  { types: 'admin_action', name: 'Actions' },
]

const LABELS: Readonly<Record<string, EventLabel>> = {
  phase_transition: { name: 'Phase', kind: 'phase' },
  risk_change: { name: 'Risk', kind: 'risk' },
  attribute_change: { name: 'Attribute', kind: 'attribute' },
  limit_reached: { name: 'Limit reached', kind: 'limit' },
  limit_threshold: { name: 'Limit near', kind: 'limit' },
  limit_change: { name: 'Limit changed', kind: 'limit' },
  plan_change: { name: 'Plan changed', kind: 'limit' },
  provider_refusal: { name: 'Provider refusal', kind: 'risk' },
}

const ACTION_NAMES: Readonly<Record<string, string>> = {
  cap: 'Daily cap',
  block: 'Block',
  unblock: 'Unblock',
  correct: 'Correction',
  note: 'Note',
  time_zone: 'Time zone',
}

/** Name and kind under which an event is shown. */
export function labelOf(event: Pick<Event, 'type' | 'data'>): EventLabel {
  const label = LABELS[event.type]
  if (label !== undefined) return label
  if (event.type !== 'admin_action') return { name: event.type, kind: 'application' }
  const action = String(event.data.action ?? 'action')
  return { name: ACTION_NAMES[action] ?? capitalize(action.replaceAll(/[_-]+/g, ' ')), kind: 'operator' }
}

/** `the limit tokens-5h` at the beginning of a sentence: `The limit tokens-5h`. */
export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** The `action` of the audit log for all changes of what users may use. */
export const LIMIT_CHANGES = 'cap,limit_change,plan_change'

/** Whether a person or a key did it: the application and the server itself are not named in each line. */
export function isNamedActor({ actor }: Pick<Event, 'actor'>): boolean {
  return actor !== undefined && actor !== 'app' && actor !== 'purser'
}

/** What an event says beside its name: its detail, without what the name says already. */
export function detailOf(event: Pick<Event, 'type' | 'data' | 'detail'>): string {
  if (event.data.action === 'cap') return capDetailOf(event.data)
  if (event.type === 'limit_reached') return reachedDetailOf(event.data)
  const name = labelOf(event).name.toLowerCase()
  const detail = event.detail
    .replaceAll('->', '→')
    .replace(/^(?:risk: |phase: |limit |plan: |corrected |time zone: |blocked (?=until))/, '')
    .replace(/ reached: /, ': ')
  const repeated = [name, `${name} added`, `${name}ed`]
  return repeated.includes(detail.toLowerCase()) ? '' : detail
}

/** `8 → 12 turns a day`, of a change of the daily cap, in which 0 is no cap. */
function capDetailOf(data: Event['data']): string {
  const [before, after] = [data.old_cap, data.new_cap].map((cap) => (cap === 0 ? 'no cap' : String(cap)))
  const unit = data.new_cap === 0 ? '' : ' turns a day'
  return `${before} → ${after}${unit}${data.after === null ? ', as configured' : ''}`
}

/** `tokens-5h: 918 of 1,600 tokens were used, and the next turn needed more than was left`. */
function reachedDetailOf({ limit, measure, max, used, mode }: Event['data']): string {
  const limited = { measure: String(measure) }
  const [taken, most] = [used, max].map((amount) => formatLimitAmount(limited, amount as number | string))
  const amounts = `${taken} of ${most} ${measureName(limited.measure)}`
  const isFull = Number(used) >= Number(max)
  const text = isFull ? `${amounts} used` : `${amounts} used, and the next turn needed more than was left`
  return `${limit}: ${text}${mode === 'observe' ? ' (observed)' : ''}`
}
