import type { Subject } from '../core/subject.ts'

/**
 * What the context asks of a driver: the last good data of a section, which outlives the process and may be lost.
 *
 * Whoever is about to load opens the place first and gets a lease. `drop` ends all leases of the user, so that a load
 * which began before cannot put back what was dropped: the driver compares leases, and every rule is the part's.
 *
 * Failure: a method rejects with `store_unavailable`; then nothing of that call was written.
 */
export interface LastGoodStore {
  /**
   * What is kept in a place, and its lease. One atomic step: a place that is empty or belongs to an earlier
   * incarnation is emptied and given the lease `candidate`; a place of a later one gives neither. A new place makes
   * the oldest go, when there are more than `maxRows`.
   */
  open(
    place: LastGoodKey,
    candidate: string,
    maxRows: number,
  ): Promise<{ readonly lease?: string; readonly kept?: LastGood }>
  /** Writes if the place still has this lease and holds nothing newer. */
  keep(place: LastGoodKey, lease: string, data: LastGood): Promise<boolean>
  /** Empties the places of a user, or one of them, and ends their leases. */
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
