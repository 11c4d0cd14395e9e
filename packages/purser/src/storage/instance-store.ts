/**
 * What the processes on a store publish about themselves. Rebuildable: every row is written again some seconds later. Ages
 * are measured by one clock of the store, so that the clocks of the processes may differ.
 *
 * Failure: a method rejects with `store_unavailable`.
 */
export interface InstanceStore {
  /** Writes the row of a process, and deletes the rows that were written longer than `deadAfterMs` ago. */
  publish(row: InstanceRow, deadAfterMs: number): Promise<void>
  /** Rows that were written at most `maxAgeMs` ago, in the order of their ids. */
  list(page: { readonly maxAgeMs: number; readonly limit: number }): Promise<readonly PublishedInstance[]>
  /** Safe to call for an unknown id. */
  remove(id: string): Promise<void>
}

export interface InstanceRow {
  readonly id: string
  /** Text of the module that publishes it. */
  readonly value: string
}

export interface PublishedInstance extends InstanceRow {
  /** Time since the row was written, by the clock of the store. */
  readonly ageMs: number
}
