import type { StatementSync } from 'node:sqlite'
import type { Database } from '../database.ts'

/** How far turns are folded: entries by id up to `listed`, everything up to `folded`, and a fold in progress up to `upto`. */
export interface FoldState {
  readonly listed: number
  readonly folded: number
  readonly upto: number
  readonly nextUid: number
  readonly nextPosition: number
  readonly version: number
}

/** Whether a turn that waited was written, by an earlier fold or the one in progress. */
export function isFolded(
  { folded, upto, nextUid, nextPosition }: FoldState,
  [position, uid]: readonly [position: number, uid: number, ...more: unknown[]],
): boolean {
  if (position <= folded) return true
  if (position > upto) return false
  return uid < nextUid || (uid === nextUid && position < nextPosition)
}

export function isSameState(one: FoldState, other: FoldState): boolean {
  return (
    one.version === other.version &&
    one.listed === other.listed &&
    one.folded === other.folded &&
    one.upto === other.upto &&
    one.nextUid === other.nextUid &&
    one.nextPosition === other.nextPosition
  )
}

/** The row that says how far turns are folded. */
export class FoldStateRow {
  readonly #get: StatementSync
  readonly #set: StatementSync
  readonly #countUp: StatementSync
  readonly #last: StatementSync

  constructor(main: Database) {
    this.#get = main.prepare(
      `SELECT listed, folded, upto, next_uid AS nextUid, next_position AS nextPosition, version FROM turn_fold`,
    )
    this.#set = main.prepare(
      'UPDATE turn_fold SET listed = ?, folded = ?, upto = ?, next_uid = ?, next_position = ?, version = ?',
    )
    // SQLite gives the next turn the position behind the last one, so none that is removed may be behind the limits.
    this.#countUp = main.prepare(`UPDATE turn_fold SET version = version + 1,
      listed = min(listed, (SELECT coalesce(max(position), 0) FROM turns)),
      folded = min(folded, (SELECT coalesce(max(position), 0) FROM turns)),
      upto = min(upto, (SELECT coalesce(max(position), 0) FROM turns))`)
    this.#last = main.prepare('SELECT coalesce(max(position), 0) AS last FROM turns')
  }

  read(): FoldState {
    return this.#get.get() as unknown as FoldState
  }

  lastPosition(): number {
    return Number(this.#last.get()?.last)
  }

  countUp(): void {
    this.#countUp.run()
  }

  /** The state after a slice, whose trimming may have removed the last turns. Returns what is stored then. */
  write(slice: FoldState): FoldState {
    const last = this.lastPosition()
    const { nextUid, nextPosition } = slice
    const listed = Math.min(slice.listed, last)
    const [folded, upto, version] = [Math.min(slice.folded, last), Math.min(slice.upto, last), slice.version + 1]
    this.#set.run(listed, folded, upto, nextUid, nextPosition, version)
    return { listed, folded, upto, nextUid, nextPosition, version }
  }
}
