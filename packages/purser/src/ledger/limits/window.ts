import type { Amount } from './amount.ts'
import type { Clock } from './clock.ts'
import type { CounterDraft, CounterUse } from './counter-use.ts'

/*
 * How the use under a rule is divided in time. An admission opens the running window of every rule that counts it, and is
 * counted there; what is settled or refunded later is counted in the window of its admission, as long as that is stored.
 */

export interface RuleWindow {
  readonly kind: 'calendar' | 'firstUse' | 'sliding' | 'total'
  /** What is used in the running window. */
  usedIn(use: CounterUse, clock: Clock): Amount
  /** Holds of admissions since this instant count in the running window, epoch ms. */
  heldSince(use: CounterUse, clock: Clock): number
  /** When the use next falls, epoch ms; null when it does not. */
  resetAt(use: CounterUse, clock: Clock): number | null
  /** When nothing of what is used now counts any more, epoch ms; null when it does not end. */
  clearAt(use: CounterUse, clock: Clock): number | null
  /** When enough is free in the running window for `needed` more under `max`; null when never. */
  freeAt(use: CounterUse, needed: Needed, clock: Clock): number | null
  /** Whether something was reported for the running window. */
  isReported(use: CounterUse, key: string, clock: Clock): boolean
  /** Counts in the running window, and opens it. Returns what is used of it then. */
  count(use: CounterDraft, amount: Amount, clock: Clock): Amount
  /**
   * Counts in the window of an admission, as long as that is stored. Returns what is used of it then if it still runs.
   */
  countAt(use: CounterDraft, change: CountAt, clock: Clock): Amount | undefined
  /** Measures the tokens of an admission, where windows are stored one by one. */
  measureTokens(use: CounterDraft, tokens: MeasuredTokens, clock: Clock): void
  /** Leaves nothing used in the running window. */
  clear(use: CounterDraft, clock: Clock): void
  /** Marks the running window, so that the key is reported once. */
  report(use: CounterDraft, key: string, clock: Clock): void
  /** Raises the use to that of another installation. False when that does not count now. */
  restore(use: CounterDraft, restored: RestoredUse, clock: Clock): boolean
}

/** The use in one window, or in one part of a sliding window, from an export. */
export interface RestoredUse {
  /** Of a calendar window: its name. */
  readonly window: string
  /** When it was first used, epoch ms. */
  readonly from: number
  readonly used: Amount
  /** What was reported for it. */
  readonly reported: readonly string[]
}

export interface MeasuredTokens {
  /** Of the admission, epoch ms. */
  readonly instant: number
  readonly inputTokens: number
  readonly outputTokens: number
}

/** `amount` is added, or subtracted where it `isRefund`. */
export interface CountAt {
  readonly instant: number
  readonly amount: Amount
  readonly isRefund: boolean
}

export interface Needed {
  readonly needed: Amount
  readonly max: Amount
  readonly held: Amount
}
