import type { Subject } from '../core/subject.ts'

/**
 * The part of a store for the last good data of context sections, which outlives the process and may be lost.
 *
 * A load takes a lease (as in memcached) before it asks its source. `drop` ends all leases of the user, so that a load
 * that began earlier cannot write back what was dropped. The driver compares leases; the context module has the rules.
 *
 * Failure: a method rejects with `store_unavailable`; nothing of that call was written then.
 */
export interface LastGoodStore {
  /**
   * Resolves to the data under a key and the key's lease. One atomic step: an absent row, or one of an earlier
   * incarnation, is replaced by an empty row with the lease `candidate`; with a row of a later incarnation, both are
   * absent. A new row evicts the oldest when there are more than `maxRows`.
   */
  open(
    key: LastGoodKey,
    candidate: string,
    maxRows: number,
  ): Promise<{ readonly lease?: string; readonly data?: LastGood }>
  /** Writes if the key still has this lease and no newer data. Resolves to whether it wrote. */
  put(key: LastGoodKey, lease: string, data: LastGood): Promise<boolean>
  /** Removes the rows of a user, or that of one section, and ends their leases. */
  drop(user: Subject, section?: string): Promise<void>
}

export interface LastGoodKey {
  readonly user: Subject
  readonly section: string
  readonly incarnation: number
}

export interface LastGood {
  /** JSON. */
  readonly value: string
  /** Epoch ms. */
  readonly loadedAt: number
}
