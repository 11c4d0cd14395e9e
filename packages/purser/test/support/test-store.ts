import { randomBytes } from 'node:crypto'
import { after } from 'node:test'
import type { Effects } from '../../src/core/effects.ts'
import { openStore } from '../../src/open-store.ts'
import type { Store } from '../../src/storage/store.ts'
import { temporaryPath } from './temporary-store.ts'

/*
 * The store that a suite runs on: memory, or what PURSER_TEST_STORE names: `sqlite:` for temporary files, or the URL of a
 * server, `redis://127.0.0.1:6379/0` or `postgres://127.0.0.1/postgres`, on which every store has keys or a schema of its
 * own. `test/drivers/suites.test.ts` runs whole suites on the stores of servers in this way.
 */

const requested = process.env.PURSER_TEST_STORE

/** The secret key of stores on servers. */
export const TEST_SECRET_KEY: string = Buffer.alloc(32, 7).toString('base64')

/** Whether an erasure leaves no byte in the files of the store, as Purser can tell only of its own. */
export const storeWipesFiles: boolean = requested === undefined || requested === 'sqlite:'

/** The URL of a new, empty store. */
export function testStoreUrl(): string {
  if (requested === undefined) return 'memory:'
  if (requested === 'sqlite:') return `sqlite:${temporaryPath()}`
  const url = new URL(requested)
  url.searchParams.set(requested.startsWith('redis') ? 'prefix' : 'schema', `test_${randomBytes(8).toString('hex')}`)
  return url.href
}

const opened: Store[] = []

/** A new, empty store. It is closed after the tests of the file, unless a test has closed it. */
export async function openTestStore(effects: Effects): Promise<Store> {
  const store = await openStore(testStoreUrl(), effects)
  opened.push(store)
  return store
}

after(() => Promise.all(opened.map((store) => store.close())))
