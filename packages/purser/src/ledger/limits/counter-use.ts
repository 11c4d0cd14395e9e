import type { Amount } from './amount.ts'
import type { Counter } from './counter.ts'

/** What has a counter: the name of a rule, and what it counts. */
export interface CountingRule {
  readonly name: string
  readonly counts: string
}

/** The name of the newest part of a sliding window. */
export const PART = null

/**
 * The use under one rule. Its newest window nearly always tells all that a decision asks, and takes what it counts; so it is
 * read without an object for the counter.
 */
export interface CounterUse {
  /** Of the newest window: of a calendar window the name, of a sliding one `PART`. */
  readonly name: string | typeof PART | undefined
  /** When it began, epoch ms, of a part epoch seconds; undefined without a window. */
  readonly from: number | undefined
  readonly used: Amount
  /** Of a sliding window: the parts before the newest one. */
  readonly earlierParts: readonly Amount[]
  /** All of it. Without windows, parts and marks where nothing is stored. */
  readonly counter: Counter
}

/** The use under one rule while a decision changes it. */
export interface CounterDraft extends CounterUse {
  used: Amount
  counter: Counter
  /** Adds tokens to those measured in the newest window. */
  measure(inputTokens: number, outputTokens: number): void
  /** Begins a part of a sliding window after the newest one, and drops the first items of `earlierParts`. */
  beginPart(part: Pick<CounterDraft, 'used'> & { readonly from: number }, dropped: number): void
}
