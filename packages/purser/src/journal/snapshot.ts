import { PurserError } from '../errors.ts'
import type { Head, RecordWrite, Stamps, UserRow } from '../storage/commit.ts'
import type { View } from './api.ts'
import type { Fold, UserData } from './event.ts'

/** A user's row, decoded. */
export interface Snapshot<Data extends UserData> {
  /** null: the user does not exist. */
  readonly revision: number | null
  readonly incarnation: number
  readonly head: Head | null
  readonly state: Data['state']
  readonly measurements: Data['measurements']
  readonly usage: Data['usage']
  readonly stamps: Stamps
  /** The newest records that are known not to exist and need not be read. */
  readonly absent: readonly RecordName[]
}

export type RecordName = Pick<RecordWrite, 'kind' | 'name'>

export function isSameRecord(one: RecordName, other: RecordName): boolean {
  return one.name === other.name && one.kind === other.kind
}

/** Whether a record is in a list of records that do not exist. */
export function isAbsentIn(absent: readonly RecordName[], record: RecordName): boolean {
  return absent.some((other) => isSameRecord(record, other))
}

const NO_STAMPS: Stamps = { createdAt: 0, updatedAt: 0, seenAt: null }

/** The snapshot of a user without a row. */
export function emptySnapshot<Data extends UserData>(incarnation: number, initial: Data): Snapshot<Data> {
  const { state, measurements, usage } = initial
  return { revision: null, incarnation, head: null, state, measurements, usage, stamps: NO_STAMPS, absent: [] }
}

/** Throws `store_damaged` when the row cannot be read: the next write would overwrite it with a default. */
export function decodeRow<Data extends UserData>(
  row: UserRow,
  { initial, parseUsage }: Pick<Fold<Data>, 'initial' | 'parseUsage'>,
): Snapshot<Data> {
  try {
    const { revision, incarnation, head, stamps } = row
    const state = decodeJson(initial.state, row.state)
    const usage = row.usage === null ? initial.usage : (JSON.parse(row.usage) as Data['usage'])
    return {
      revision,
      incarnation,
      head,
      state,
      measurements: decodeJson(initial.measurements, row.measured),
      usage: row.usage === null || parseUsage === undefined ? usage : parseUsage(usage, state),
      stamps,
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
export function viewOf<Data extends UserData>(snapshot: Snapshot<Data>, now: number): View<Data> {
  const { revision, incarnation, head, state, measurements, usage, stamps } = snapshot
  return {
    exists: revision !== null,
    incarnation,
    version: head?.sequence ?? 0,
    head,
    state,
    measurements,
    usage,
    stamps,
    now,
    record: () => undefined,
  }
}
