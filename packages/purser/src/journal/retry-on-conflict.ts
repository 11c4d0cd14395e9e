import type { Store, UserStore } from '../storage/store.ts'
import type { JournalLimits } from './limits.ts'

/** Where an attempt writes: among others, or while everybody else is kept from writing. */
export type Writes = Pick<UserStore, 'commit' | 'erase'>

/**
 * Reads, decides and writes again until nobody else has written in between. First among others; whoever goes on losing
 * to processes that write without a pause keeps them from writing meanwhile. Undefined when even that was in vain.
 */
export async function retryOnConflict<Result>(
  { store, limits }: { readonly store: Store; readonly limits: JournalLimits },
  attempt: (to: Writes) => Promise<Result | undefined>,
): Promise<Result | undefined> {
  for (let made = 0; made < limits.maxAttempts; made++) {
    const hold = made < limits.politeAttempts ? undefined : await store.users.lockWrites?.()
    try {
      const result = await attempt(hold ?? store.users)
      if (result !== undefined) return result
    } finally {
      if (hold !== undefined) await hold.release()
    }
  }
  return undefined
}
