import type { Amount } from './amount.ts'
import { type Counters, NO_COUNTERS } from './counters.ts'

/*
 * What is stored of a user's use: one JSON value, replaced as a whole by every decision that changes it. A user with only
 * a daily cap has one counter with one or two windows, about 150 bytes. In memory the counters are packed, see
 * `counters.ts`.
 */

export interface Usage {
  /** Format version. */
  readonly v: 1
  /** Instant of the last admission, epoch ms. Decisions are never made for an earlier one, see `clock.ts`. */
  readonly seenAt?: number
  /** The latest times without admissions that were longer than two days, oldest first. */
  readonly gaps?: readonly Gap[]
  readonly counters: Counters
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

export const NO_USAGE: Usage = { v: 1, counters: NO_COUNTERS }

/** A time without admissions, from the last one before to the first one after. Epoch ms. */
export interface Gap {
  readonly from: number
  readonly to: number
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
