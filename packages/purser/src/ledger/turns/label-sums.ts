import type { StateChange } from '../../journal/event.ts'
import type { SumIncrement } from '../../storage/sum-store.ts'
import type { LedgerRules } from '../rules.ts'
import type { LedgerData, LedgerState } from '../state.ts'
import { dwellClassOf } from './dwell-classes.ts'
import { countIncrement, sumTime } from './usage-sums.ts'

/*
 * How many users went from one phase or risk level to another, by day (UTC), in the commits that make them. So the numbers
 * of users of every day follow from those of now, without a look at any log.
 */

/** What a change of a user's state adds to the sums of the namespace. */
export function labelSums({
  defaults,
}: Pick<LedgerRules, 'defaults'>): (change: StateChange<LedgerData>) => readonly SumIncrement[] {
  const phaseOf = (state: LedgerState | undefined): string | null =>
    state === undefined ? null : (state.phase ?? defaults.phase)
  const riskOf = (state: LedgerState | undefined): string | null =>
    state === undefined ? null : (state.riskLevel ?? defaults.riskLevel)
  return ({ before, after, createdAt, now }) => {
    const phases = [phaseOf(before), phaseOf(after)] as const
    const risks = [riskOf(before), riskOf(after)] as const
    if (phases[0] === phases[1] && risks[0] === risks[1]) return NONE
    const time = sumTime(new Date(now).toISOString().slice(0, 10), now)
    const enteredAt = before?.phaseEnteredAt ?? null
    const ms = before === undefined ? 0 : Math.max(0, now - (enteredAt === null ? createdAt : Date.parse(enteredAt)))
    return [
      ...(phases[0] === phases[1] ? NONE : [countIncrement(time, ['phase', ...phases, dwellClassOf(ms)], ms)]),
      ...(risks[0] === risks[1] ? NONE : [countIncrement(time, ['risk', ...risks], 0)]),
    ]
  }
}

const NONE: readonly never[] = []
