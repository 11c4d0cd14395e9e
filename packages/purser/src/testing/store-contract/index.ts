import type { Store } from '../../storage/store.ts'
import { news } from './bus.ts'
import { commits } from './commits.ts'
import { erasure } from './erasure.ts'
import { events } from './events.ts'
import { listing } from './list-users.ts'
import { records } from './records.ts'
import type { Promised } from './samples.ts'

export interface StoreUnderTest {
  /** Runs one test of any runner: `test` of `node:test`, `it` of Vitest or Mocha. */
  readonly test: (name: string, run: () => Promise<void>) => unknown
  /** A new, empty store each time. The suite closes it. */
  open(): Promise<Store>
  /** Opens the data of a store again that the suite has closed. Needed when `traits.durable` is true; else not called. */
  reopen?(closed: Store): Promise<Store>
  /** Put before the name of every test, for instance the driver's. */
  readonly prefix?: string
}

const PROMISES: readonly Promised[] = [...commits, ...records, ...events, ...listing, ...erasure, ...news]

/**
 * Everything a store has promised, as tests. A driver may have more tests of its own, never fewer than these.
 *
 * ```ts
 * storeContract({ test, open: () => openMyStore() })
 * ```
 */
export function storeContract({ test, open, reopen, prefix = '' }: StoreUnderTest): void {
  for (const promised of PROMISES) {
    test(`${prefix}${promised.name}`, async () => {
      let store = await open()
      try {
        if (promised.durable && !store.traits.durable) return
        await promised.show(store, async () => {
          if (reopen === undefined) throw new Error('The store cannot be opened again: give `reopen`.')
          await store.close()
          store = await reopen(store)
          return store
        })
      } finally {
        await store.close()
      }
    })
  }
}
