import { randomBytes } from 'node:crypto'
import { readOrCreateKeyFile, requireDatabaseOfKey } from '../drivers/sqlite/key-file.ts'
import { PurserError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import type { SecretKeys } from '../storage/root-key.ts'
import type { Store } from '../storage/store.ts'
import { sqlitePath } from '../storage/store-url.ts'

/** A store that is shared needs a key of the operator. A deleted database is not replaced while its key is there. */
export function checkSecretKey({ store, secretKey }: ResolvedOptions): void {
  if (secretKey !== undefined || typeof store !== 'string' || store === 'memory:') return
  const path = sqlitePath(store)
  if (path === undefined) throw missingSecretKey()
  requireDatabaseOfKey(path)
}

/** The operator's key; otherwise a file beside the database, or a key that ends with an in-memory store. */
export async function findSecretKey(
  { store: url, secretKey: configured }: ResolvedOptions,
  store: Store,
): Promise<SecretKeys> {
  if (configured !== undefined) return configured
  if (!store.traits.durable) return { current: randomBytes(32).toString('base64'), previous: [] }
  const path = typeof url === 'string' ? sqlitePath(url) : undefined
  if (path !== undefined) return { current: await readOrCreateKeyFile(path, store.meta), previous: [] }
  throw missingSecretKey()
}

function missingSecretKey(): PurserError {
  return new PurserError('option_invalid', 'This store needs a secretKey.', {
    hint: 'Make one with `openssl rand -base64 32`, and use the same one for every instance.',
  })
}
