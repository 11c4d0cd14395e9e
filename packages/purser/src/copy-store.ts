import { systemEffects } from './core/effects.ts'
import { throwInvalid, validateFunction, validateOptions } from './core/validate.ts'
import { openStore } from './open-store.ts'
import { type PurserOptions, resolveOptions } from './options.ts'
import { findSecretKey } from './purser/secret-key.ts'
import { type CopyProgress, type CopyReport, copyRows } from './storage/copy-rows.ts'
import { hasRootKey, openKeyring } from './storage/root-key.ts'
import type { Store } from './storage/store.ts'

export interface CopyStoreOptions {
  /** The store that is read: `'sqlite:PATH'`, `'postgres://…'`, `'redis://…'`, or an open store, which stays open. */
  readonly from: string | Store
  /** An empty store, or one into which the same copy was interrupted. */
  readonly to: string | Store
  /** The secret key of the source, which opens the target as well. Default: the key file of a SQLite source. */
  readonly secretKey?: PurserOptions['secretKey']
  /** Called after each page of at most 5,000 rows. */
  readonly onProgress?: (progress: CopyProgress) => void
  readonly signal?: AbortSignal
}

/** Nothing waits for a call but the copy itself, so a busy server has time for it. */
const CALL_TIMEOUT_MS = 30_000
const OPTIONS: readonly string[] = ['from', 'to', 'secretKey', 'onProgress']

/**
 * Copies a store as it is into an empty one of any driver: users, records, events with their chains, replies,
 * incarnations, sealed secrets, API keys and the wrapped root key, of all namespaces. Answers and last good contexts are
 * not copied. No process may use either store meanwhile. A copy that was interrupted continues when it is called again;
 * until it has ended, the target cannot be opened. Last, all rows of both stores are compared.
 *
 * @throws {PurserError} `argument_invalid` when the source is empty or the target is not; `secret_key_wrong`;
 *   `store_incomplete` when the source was changed during the copy; `store_unavailable`
 * @example
 * await copyStore({ from: 'sqlite:purser.db', to: 'postgres://purser@db.internal/purser' })
 */
export async function copyStore(options: CopyStoreOptions): Promise<CopyReport> {
  const { signal, ...copied } = options ?? {}
  validateOptions('copyStore', { ...copied, signal }, OPTIONS)
  const { from, to, secretKey, onProgress } = options
  if (from === undefined || to === undefined)
    throwInvalid("copyStore needs 'from' and 'to'.", { hint: "Example: { from: 'sqlite:a.db', to: 'sqlite:b.db' }." })
  if (onProgress !== undefined) validateFunction(onProgress, { name: 'onProgress', hint: 'Default: none.' })
  const source = resolveOptions({ store: from, ...(secretKey === undefined ? {} : { secretKey }) })
  const target = resolveOptions({ store: to })
  await using stores = new AsyncDisposableStack()
  const open = async ({ store }: typeof source): Promise<Store> => {
    const opened =
      typeof store === 'string' ? await openStore(store, systemEffects, { timeoutMs: CALL_TIMEOUT_MS }) : store
    if (typeof store === 'string') stores.defer(() => opened.close())
    return opened
  }
  const [opened, empty] = [await open(source), await open(target)]
  if (await hasRootKey(opened.meta)) await openKeyring(opened.meta, await findSecretKey(source, opened))
  return await copyRows(opened, empty, { onProgress, signal })
}
