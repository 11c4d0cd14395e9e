import { PurserError } from '../errors.ts'
import type { MetaStore } from './store.ts'

/** The name in the meta store under which a server keeps its API keys: a JSON object with the list `keys`. */
export const API_KEYS = 'server-keys'

const MAX_ATTEMPTS = 8

/**
 * Revokes and removes the API keys of a user. The list is part of the library because an erasure without a server must
 * leave neither a valid key nor the user's id.
 */
export async function removeKeysOfUser(meta: MetaStore, user: string): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const stored = await meta.get(API_KEYS)
    const document = stored === undefined ? undefined : parse(stored)
    const remaining = document?.keys.filter((key) => key.user !== user)
    if (document === undefined || remaining?.length === document.keys.length) return
    if (await meta.compareAndSet(API_KEYS, stored, JSON.stringify({ ...document, keys: remaining }))) return
  }
  throw new PurserError('store_unavailable', 'The API keys remaining changing during the erasure.', {
    hint: 'Try again.',
  })
}

interface KeyDocument {
  readonly keys: readonly { readonly user?: string | null }[]
}

/** Undefined when it is not a list of keys; a server reports that itself. */
function parse(stored: string): KeyDocument | undefined {
  try {
    const document = JSON.parse(stored) as Partial<KeyDocument> | null
    return Array.isArray(document?.keys) ? (document as KeyDocument) : undefined
  } catch {
    return undefined
  }
}
