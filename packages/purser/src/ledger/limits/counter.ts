import type { Amount } from './amount.ts'

/** The use under one rule. */
export interface Counter {
  /** The name of the rule. */
  readonly name: string
  /** What is counted: measure, window and models. Under a rule that counts something else the counter starts anew. */
  readonly of: string
  /** The running window and those before it that are still needed, in the order in which they began. */
  readonly windows?: readonly WindowUse[]
  /** Of a sliding window: start and use of each part in turn. Starts are epoch seconds and rise. */
  readonly parts?: readonly Amount[]
  /** What was reported where there is no window to mark. */
  readonly marks?: readonly Mark[]
}

/** The use in one window. */
export interface WindowUse {
  /** Of a calendar window: its first date, or its month, which rise as text. Empty for `total`. */
  readonly name?: string
  /** When it was first used, epoch ms. */
  readonly from: number
  readonly used: Amount
  /** Under `daily`: the tokens of its turns, which are measured without a limit, too. */
  readonly inputTokens?: number
  readonly outputTokens?: number
  /** What was reported for this window. */
  readonly reported?: readonly string[]
}

export interface Mark {
  readonly key: string
  /** The name of a calendar window that was not opened. */
  readonly window?: string
  /** Epoch ms. */
  readonly at: number
}
