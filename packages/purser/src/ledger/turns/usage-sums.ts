import type { SumAmount, SumIncrement } from '../../storage/sum-store.ts'
import type { Amount } from '../limits/amount.ts'
import { compare } from '../limits/amount.ts'

/*
 * The sums of turns. A row is of one hour (UTC), one date (of the user), one plan and one model, so that every question
 * about usage is a sum over rows. Its amounts, in this order, are those of `UsageAmounts`. What limits do is in rows of
 * their own, whose only amount is the last one, so that sums over all rows of a user count nothing twice.
 */

/** The positions of amounts in a row. */
export const AMOUNT = {
  turns: 0,
  refused: 1,
  unpriced: 2,
  inputTokens: 3,
  outputTokens: 4,
  cachedTokens: 5,
  cost: 6,
  limited: 7,
} as const

export type UsageAmounts = Readonly<Record<Exclude<keyof typeof AMOUNT, 'limited'>, Amount>>

/** What a row of sums is about. */
export type SumKey =
  | readonly [kind: 'turns', plan: string | null, provider: string | null, model: string | null]
  /** What a limit has refused, or would have under `observe`. */
  | readonly [kind: 'limit', name: string]
  /** What a limit has sent to another model. */
  | readonly [kind: 'downgrade', name: string]
  /** Users who went from one label to another; from or to null: new or erased. The second amount is the time in ms. */
  | readonly [kind: 'risk', from: string | null, to: string | null]
  /** In rows of earlier versions there is no `dwell`. */
  | readonly [kind: 'phase', from: string | null, to: string | null, dwell?: number]

const HOUR_MS = 3_600_000
/** Sums are exact below 10^17. */
const COST_MAX = '90000000000000000'

export interface SumTime {
  readonly day: string
  readonly hour: number
}

export function sumTime(day: string, epochMs: number): SumTime {
  return { day, hour: Math.floor(epochMs / HOUR_MS) }
}

/** Start of an hour, such as `2026-11-29T23`. */
export function formatHour(hour: number): string {
  return new Date(hour * HOUR_MS).toISOString().slice(0, 13)
}

export function usageIncrement({ day, hour }: SumTime, key: SumKey, amounts: UsageAmounts): SumIncrement {
  const { turns, refused, unpriced, inputTokens, outputTokens, cachedTokens } = amounts
  const cost = compare(amounts.cost, COST_MAX) > 0 ? COST_MAX : amounts.cost
  return {
    day,
    hour,
    key: JSON.stringify(key),
    amounts: [turns, refused, unpriced, inputTokens, outputTokens, cachedTokens, cost, 0],
  }
}

/** One occurrence of what a limit does. */
export function limitIncrement({ day, hour }: SumTime, key: SumKey): SumIncrement {
  return { day, hour, key: JSON.stringify(key), amounts: [0, 0, 0, 0, 0, 0, 0, 1] }
}

export function countIncrement({ day, hour }: SumTime, key: SumKey, ms: number): SumIncrement {
  return { day, hour, key: JSON.stringify(key), amounts: [1, ms, 0, 0, 0, 0, 0, 0] }
}

export function parseSumKey(key: string): SumKey {
  return JSON.parse(key) as SumKey
}

export function amountAt(amounts: readonly SumAmount[], name: keyof typeof AMOUNT): Amount {
  return amounts[AMOUNT[name]] ?? 0
}
