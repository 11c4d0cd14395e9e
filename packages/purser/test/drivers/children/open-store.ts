import { systemEffects } from '../../../src/core/effects.ts'
import { postgresStore } from '../../../src/drivers/postgres/index.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import type { Store } from '../../../src/storage/store.ts'

/** Opens the store at a `postgres://` URL or a path of SQLite. */
export async function openStore(location: string): Promise<Store> {
  if (location.startsWith('postgres:')) return postgresStore({ url: location })
  return openSqliteStore({ path: location, effects: systemEffects })
}
