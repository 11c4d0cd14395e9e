import type { LedgerEvent } from '../../api/wire.ts'

/** How an event is called on the page, and of which kind it is; the kinds have a shape each. */
export interface EventWords {
  readonly name: string
  readonly kind: EventKind
}

export type EventKind = 'phase' | 'risk' | 'attribute' | 'operator' | 'application'

/** The kinds as the filter offers them. */
export const KINDS: readonly { readonly kind: EventKind; readonly name: string }[] = [
  { kind: 'phase', name: 'Phase' },
  { kind: 'risk', name: 'Risk' },
  { kind: 'attribute', name: 'Attributes' },
  { kind: 'operator', name: 'Actions' },
  { kind: 'application', name: 'Application' },
]

const OWN: Readonly<Record<string, EventWords>> = {
  phase_transition: { name: 'Phase', kind: 'phase' },
  risk_change: { name: 'Risk', kind: 'risk' },
  attribute_change: { name: 'Attribute', kind: 'attribute' },
}

const ACTIONS: Readonly<Record<string, string>> = {
  cap: 'Cap',
  block: 'Block',
  unblock: 'Unblock',
  correct: 'Correction',
  note: 'Note',
  time_zone: 'Time zone',
}

export function wordsOf(event: Pick<LedgerEvent, 'type' | 'data'>): EventWords {
  const own = OWN[event.type]
  if (own !== undefined) return own
  if (event.type !== 'admin_action') return { name: event.type, kind: 'application' }
  const action = String(event.data.action ?? 'action')
  return { name: ACTIONS[action] ?? sentenceCase(action), kind: 'operator' }
}

function sentenceCase(name: string): string {
  const words = name.replaceAll(/[_-]+/g, ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
