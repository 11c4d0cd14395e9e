import type { Amount } from './amount.ts'

/*
 * What is stored of a user's use: one JSON value, replaced as a whole by every decision that changes it. A user with only
 * a daily cap has one counter with one or two windows, about 150 bytes.
 */

export interface Usage {
  /** Format version. */
  readonly v: 1
  /** Instant of the last admission, epoch ms. Decisions are never made for an earlier one, see `clock.ts`. */
  readonly seenAt?: number
  /** The latest times without admissions that were longer than two days, oldest first. */
  readonly gaps?: readonly Gap[]
  readonly counters: readonly Counter[]
  /** What turns in progress may still use. */
  readonly holds?: readonly Hold[]
  /** How many turns of the user were recorded, with those whose records are removed. */
  readonly recorded?: number
  /** The last minute in which turns were refused, since 1970, and how many of them have a record. */
  readonly refusals?: readonly [minute: number, records: number]
}

/** What is known of the records of turns. */
export function recordingOf({ recorded, refusals }: Usage): Pick<Usage, 'recorded' | 'refusals'> {
  return { ...(recorded === undefined ? {} : { recorded }), ...(refusals === undefined ? {} : { refusals }) }
}

export const NO_USAGE: Usage = { v: 1, counters: [] }

/** A time without admissions, from the last one before to the first one after. Epoch ms. */
export interface Gap {
  readonly from: number
  readonly to: number
}

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

/** The counter of a rule; undefined where the rule has none, or now counts something else. */
export function findCounter(
  counters: readonly Counter[],
  { name, counts }: { readonly name: string; readonly counts: string },
): Counter | undefined {
  for (const counter of counters) if (counter.name === name) return counter.of === counts ? counter : undefined
  return undefined
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

/** What one turn may still use. Settled, refunded or lapsed, it is gone. */
export interface Hold {
  /** The id of the ticket. */
  readonly id: string
  /** Instant of the admission, epoch ms. */
  readonly at: number
  /** Released then, unless it is renewed. Epoch ms. */
  readonly until: number
  /** The effective model, `provider/model`. */
  readonly model?: string
  /** Whether it is a turn, and not a step of one. */
  readonly isTurn: boolean
  readonly inputTokens: number
  readonly outputTokens: number
  /** Nano-units. */
  readonly cost: Amount
}
