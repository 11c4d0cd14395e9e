import { PurserError } from '../errors.ts'
import type { Counter, Head, RecordWrite, Stamps, UserRow } from '../storage/commit.ts'
import type { View } from './api.ts'
import type { Fold } from './event.ts'

/** A user's row, decoded. Cached until another process changes the user. */
export interface Snapshot<State, Measurements> {
  /** null: the user does not exist. */
  readonly revision: number | null
  readonly incarnation: number
  readonly head: Head | null
  readonly state: State
  readonly measurements: Measurements
  readonly stamps: Stamps
  readonly counters: readonly Counter[]
  /** The newest records that are known not to exist and need not be read. */
  readonly absent: readonly RecordName[]
}

export type RecordName = Pick<RecordWrite, 'kind' | 'name'>

type Initial<State, Measurements> = Pick<Fold<State, Measurements>, 'initialState' | 'initialMeasurements'>

const NO_STAMPS: Stamps = { createdAt: 0, updatedAt: 0, seenAt: null }

/** The snapshot of a user without a row. */
export function emptySnapshot<State, Measurements>(
  incarnation: number,
  { initialState, initialMeasurements }: Initial<State, Measurements>,
): Snapshot<State, Measurements> {
  return {
    revision: null,
    incarnation,
    head: null,
    state: initialState,
    measurements: initialMeasurements,
    stamps: NO_STAMPS,
    counters: [],
    absent: [],
  }
}

/** Throws `store_damaged` when the row cannot be read: the next write would overwrite it with a default. */
export function decodeRow<State, Measurements>(
  row: UserRow,
  { initialState, initialMeasurements }: Initial<State, Measurements>,
): Snapshot<State, Measurements> {
  try {
    const { revision, incarnation, head, stamps, counters } = row
    return {
      revision,
      incarnation,
      head,
      stamps,
      counters,
      state: decodeJson(initialState, row.state),
      measurements: decodeJson(initialMeasurements, row.measured),
      absent: [],
    }
  } catch (cause) {
    throw new PurserError('store_damaged', 'A stored row of this user cannot be read.', {
      hint: 'Restore it from a backup, or erase the user. `purser verify` lists the affected users.',
      cause,
    })
  }
}

/** Parses stored JSON. Fields that did not exist when it was stored get their initial values. */
export function decodeJson<Value>(initial: Value, stored: string | null): Value {
  return stored === null ? initial : { ...initial, ...(JSON.parse(stored) as Value) }
}

/** The stored user, for readers. */
export function viewOf<State, Measurements>(
  { revision, incarnation, head, state, measurements, stamps, counters }: Snapshot<State, Measurements>,
  now: number,
): View<State, Measurements> {
  return {
    exists: revision !== null,
    incarnation,
    version: head?.sequence ?? 0,
    head,
    state,
    measurements,
    stamps,
    counters,
    now,
    record: () => undefined,
  }
}
