import type { Subject } from '../core/subject.ts'
import type { AnswerStore } from './answer-store.ts'
import type { LastGoodStore } from './last-good-store.ts'

/** Rebuildable data that is stored elsewhere than the ledger. */
export interface CacheStore {
  readonly answers: AnswerStore
  readonly lastGood: LastGoodStore
  /**
   * Removes the data of an erased user.
   *
   * @param tag keyed hash of the user id
   * @returns Whether no byte of it is left in the files of the store.
   */
  wipe(user: Subject, tag: string): Promise<boolean>
  close(): Promise<void>
}
