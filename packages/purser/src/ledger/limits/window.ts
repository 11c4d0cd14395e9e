import type { Amount } from './amount.ts'
import type { Clock } from './clock.ts'
import type { Counter } from './counter.ts'

/*
 * How the use under a rule is divided in time. An admission opens the running window of every rule that counts it, and is
 * counted there; what is settled or refunded later is counted in the window of its admission, as long as that is stored.
 */

export interface RuleWindow {
  readonly kind: 'calendar' | 'firstUse' | 'sliding' | 'total'
  /** What is used in the running window. */
  usedIn(counter: Counter | undefined, clock: Clock): Amount
  /** The running window. */
  read(counter: Counter | undefined, clock: Clock): Standing
  /** Counts in the running window, and opens it. */
  count(counter: Counter, amount: Amount, clock: Clock): Change
  /** Counts in the window of an admission; undefined when that is not stored any more. */
  countAt(counter: Counter, change: CountAt, clock: Clock): Change | undefined
  /** Measures the tokens of an admission, where windows are stored one by one. */
  measureTokens(counter: Counter, tokens: MeasuredTokens, clock: Clock): Counter
  /** The counter with nothing used in the running window. */
  clear(counter: Counter, clock: Clock): Counter
  /** When enough is free in the running window for `needed` more under `max`; null when never. */
  freeAt(counter: Counter | undefined, needed: Needed, clock: Clock): number | null
  /** Whether something was reported for the running window. */
  isReported(counter: Counter, key: string, clock: Clock): boolean
  /** Marks the running window, so that the key is reported once. */
  report(counter: Counter, key: string, clock: Clock): Counter
  /** Raises the use to that of another installation; undefined when it does not count now. */
  restore(counter: Counter, use: RestoredUse, clock: Clock): Counter | undefined
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

export interface Standing {
  readonly used: Amount
  /** Holds of admissions since this instant count, epoch ms. */
  readonly since: number
  /** When the use next falls, epoch ms; null when it does not. */
  readonly resetAt: number | null
  /** When nothing of what is used now counts any more, epoch ms; null when it does not end. */
  readonly clearAt: number | null
}

/** The use in the changed window. */
export interface Change {
  readonly counter: Counter
  readonly used: Amount
  /** Whether the window still runs. */
  readonly isRunning: boolean
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
