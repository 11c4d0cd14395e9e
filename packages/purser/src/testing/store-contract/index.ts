import type { Store } from '../../storage/store.ts'
import { bus } from './bus.ts'
import { commits } from './commits.ts'
import { erasure } from './erasure.ts'
import { events } from './events.ts'
import { instances } from './instances.ts'
import { listUsers } from './list-users.ts'
import { records } from './records.ts'
import { rows } from './rows.ts'
import type { ContractTest } from './samples.ts'
import { sums } from './sums.ts'
import { turns } from './turns.ts'

export interface StoreContractOptions {
  /** Registers one test with any test runner: `test` of `node:test`, `it` of Vitest or Mocha. */
  readonly test: (name: string, run: () => Promise<void>) => unknown
  /** Opens a new, empty store each time. The suite closes it. */
  open(): Promise<Store>
  /** Opens the data of a closed store again. Required when `traits.durable` is true; not called otherwise. */
  reopen?(closed: Store): Promise<Store>
  /** Prefix of all test names, for example the name of the driver. Default: none. */
  readonly prefix?: string
}

const CONTRACT: readonly ContractTest[] = [
  ...commits,
  ...records,
  ...events,
  ...listUsers,
  ...turns,
  ...sums,
  ...erasure,
  ...rows,
  ...bus,
  ...instances,
]

/**
 * Registers the tests that every implementation of `Store` must pass. A driver may add tests of its own.
 *
 * @example
 * ```ts
 * import { test } from 'node:test'
 * import { storeContract } from 'purser/testing'
 *
 * storeContract({ test, open: () => openMyStore() })
 * ```
 */
export function storeContract({ test, open, reopen, prefix = '' }: StoreContractOptions): void {
  for (const { name, durable, run } of CONTRACT) {
    test(`${prefix}${name}`, async () => {
      let store = await open()
      try {
        if (durable && !store.traits.durable) return
        await run(store, async () => {
          if (reopen === undefined) throw new Error('The store is durable: storeContract needs the option `reopen`.')
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
