import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { CommitLoopDeps } from './commit-loop.ts'
import type { NewEvent } from './event.ts'
import { retryOnConflict } from './retry-on-conflict.ts'

/** How many of each kind of row went. */
export type ErasedCounts = Readonly<Record<string, number>>

export interface ErasureRequest {
  readonly user: Subject
  /** The namespace's own log. */
  readonly log: Subject
  /** The keyed hash that stands for the user from now on. */
  readonly pseudonym: string
  event(incarnation: number, pseudonym: string): NewEvent
}

/** Ends a user's life together with one event in the log. Nobody else may write either of them meanwhile. */
export async function eraseUser<State, Measured>(
  house: CommitLoopDeps<State, Measured>,
  { user, log, pseudonym, event }: ErasureRequest,
): Promise<ErasedCounts> {
  const { store, snapshots, pendingOn } = house
  const erased = await retryOnConflict(house, async (to) => {
    const row = await store.users.load(user)
    const incarnation = row?.incarnation ?? (await store.users.nextIncarnation(user.namespace, pseudonym))
    const pending = pendingOn(log, await snapshots.load(log))
    pending.apply({ events: [event(incarnation, pseudonym)], result: () => undefined })
    const outcome = await to.erase(user, { tag: pseudonym, incarnation, log: pending.commit() })
    snapshots.forget(user)
    snapshots.forget(log)
    return outcome.ok ? outcome.counts : undefined
  })
  if (erased !== undefined) return erased
  throw new PurserError('store_unavailable', 'The user kept changing while being erased.', { hint: 'Try again.' })
}
