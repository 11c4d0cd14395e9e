import { systemEffects } from '../../../src/core/effects.ts'
import { openStore as openStoreOf } from '../../../src/open-store.ts'
import type { Store } from '../../../src/storage/store.ts'
import { STORE_URL } from '../../../src/storage/store-url.ts'

/** Opens the store at a URL, or at a path of SQLite. */
export async function openStore(location: string): Promise<Store> {
  return openStoreOf(STORE_URL.test(location) ? location : `sqlite:${location}`, systemEffects)
}
