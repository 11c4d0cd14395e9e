import type { LimitMeasure } from '../../options.ts'
import { type Amount, add } from './amount.ts'
import type { Rule } from './rule.ts'
import type { Hold, Usage } from './usage.ts'

/*
 * Holds. What a turn will use is not known when it is admitted, so an estimate is held until it is settled or refunded.
 * A process that ends leaves its holds behind; they lapse at the end of their lease. The turn stays counted then, and a
 * late settlement counts in full.
 */

/** Holds of one user. A turn beyond it is refused as long as nothing is released. */
export const MAX_HOLDS = 4_096

/** What a rule counts of one turn. */
export interface Spent {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Nano-units. */
  readonly cost: Amount
  readonly toolCalls?: number
}

export function amountOf(measure: LimitMeasure, spent: Spent): Amount {
  switch (measure) {
    case 'tokens':
      return spent.inputTokens + spent.outputTokens
    case 'inputTokens':
      return spent.inputTokens
    case 'outputTokens':
      return spent.outputTokens
    case 'cost':
      return spent.cost
    case 'toolCalls':
      return spent.toolCalls ?? 0
    default:
      return 0
  }
}

/** Holds whose lease has not ended. */
export function liveHolds(holds: readonly Hold[], at: number): readonly Hold[] {
  return holds.every(({ until }) => until > at) ? holds : holds.filter(({ until }) => until > at)
}

/** What the holds of admissions since an instant hold under a rule. */
export function heldUnder(rule: Rule, holds: readonly Hold[], since: number): Amount {
  let held: Amount = 0
  for (const hold of holds)
    if (hold.at >= since && rule.matches(hold.model ?? null)) held = add(held, amountOf(rule.measure, hold))
  return held
}

/** The turns in progress that a rule counts. */
export function slotsUnder(rule: Rule, holds: readonly Hold[]): number {
  let slots = 0
  for (const hold of holds) if (hold.isTurn && rule.matches(hold.model ?? null)) slots++
  return slots
}

/** Whether turns of this model need a hold under a rule. */
export function needsHold({ measure }: Rule): boolean {
  return measure !== 'turns' && measure !== 'toolCalls'
}

/** Extends leases. Undefined when none of the holds is still there: what has lapsed is not held again. */
export function renewHolds(
  usage: Usage,
  { ids, at, leaseMs }: { readonly ids: ReadonlySet<string>; readonly at: number; readonly leaseMs: number },
): Usage | undefined {
  const holds = usage.holds ?? []
  const until = at + leaseMs
  const isRenewed = (hold: Hold): boolean => ids.has(hold.id) && hold.until > at && hold.until < until
  if (!holds.some(isRenewed)) return undefined
  return { ...usage, holds: holds.map((hold) => (isRenewed(hold) ? { ...hold, until } : hold)) }
}

/** The usage with other holds. */
export function storeHolds({ holds: _, ...usage }: Usage, holds: readonly Hold[]): Usage {
  return holds.length === 0 ? usage : { ...usage, holds }
}
