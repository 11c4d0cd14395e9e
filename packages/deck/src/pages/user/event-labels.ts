import type { LedgerEvent } from '../../api/responses.ts'

/** Each kind has its own marker shape and is an option of the event filter. */
export type EventKind = 'phase' | 'risk' | 'attribute' | 'operator' | 'application'

export interface EventLabel {
  readonly name: string
  readonly kind: EventKind
}

export const EVENT_KINDS: readonly { readonly kind: EventKind; readonly name: string }[] = [
  { kind: 'phase', name: 'Phase' },
  { kind: 'risk', name: 'Risk' },
  { kind: 'attribute', name: 'Attributes' },
  { kind: 'operator', name: 'Actions' },
  { kind: 'application', name: 'Application' },
]

const LABELS: Readonly<Record<string, EventLabel>> = {
  phase_transition: { name: 'Phase', kind: 'phase' },
  risk_change: { name: 'Risk', kind: 'risk' },
  attribute_change: { name: 'Attribute', kind: 'attribute' },
}

const ACTION_NAMES: Readonly<Record<string, string>> = {
  cap: 'Cap',
  block: 'Block',
  unblock: 'Unblock',
  correct: 'Correction',
  note: 'Note',
  time_zone: 'Time zone',
}

/** Name and kind under which an event is shown. */
export function labelOf(event: Pick<LedgerEvent, 'type' | 'data'>): EventLabel {
  const label = LABELS[event.type]
  if (label !== undefined) return label
  if (event.type !== 'admin_action') return { name: event.type, kind: 'application' }
  const action = String(event.data.action ?? 'action')
  return { name: ACTION_NAMES[action] ?? toSentenceCase(action), kind: 'operator' }
}

function toSentenceCase(name: string): string {
  const words = name.replaceAll(/[_-]+/g, ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
