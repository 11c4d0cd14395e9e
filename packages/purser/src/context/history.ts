import { LRUCache } from 'lru-cache'
import type { ResolvedContext } from './api.ts'

/** A context as it was at an earlier instant. */
export interface PastContext {
  /** Epoch ms. */
  readonly at: number
  readonly context: ResolvedContext
}

interface Recorded {
  older: PastContext | undefined
  newer: PastContext
}

/** A context is recorded at most this often, and a previous one is at least this old. */
const INTERVAL_MS = 60_000
/** Kinds of calls of one user. */
const MAX_KEYS = 4
const ENTRY_BYTES = 256

/** What equal calls gave before: two contexts for each user and kind of call, limited by users and bytes. */
export class ContextHistory {
  readonly #users: LRUCache<string, Map<string, Recorded>>

  constructor({ maxUsers, maxBytes }: { readonly maxUsers: number; readonly maxBytes: number }) {
    this.#users = new LRUCache({ max: Number.isFinite(maxUsers) ? maxUsers : 0, maxSize: maxBytes })
  }

  /** What an equal call gave a minute ago or longer, as far as it is in memory. `now`: epoch ms. */
  getPrevious(userId: string, key: string, now: number): PastContext | undefined {
    const recorded = this.#users.get(userId)?.get(key)
    return recorded !== undefined && now - recorded.newer.at >= INTERVAL_MS ? recorded.newer : recorded?.older
  }

  record(userId: string, key: string, newest: PastContext): void {
    const keys = this.#users.get(userId) ?? new Map<string, Recorded>()
    const recorded = keys.get(key)
    if (recorded !== undefined && Math.abs(newest.at - recorded.newer.at) < INTERVAL_MS) return
    keys.delete(key)
    keys.set(key, { older: recorded?.newer, newer: newest })
    if (keys.size > MAX_KEYS) keys.delete(keys.keys().next().value as string)
    this.#users.delete(userId)
    this.#users.set(userId, keys, { size: sizeOf(keys) })
  }

  forget(userId: string): void {
    this.#users.delete(userId)
  }

  clear(): void {
    this.#users.clear()
  }
}

/** A text counts twice, because the sections hold it as well. */
function sizeOf(keys: ReadonlyMap<string, Recorded>): number {
  let size = ENTRY_BYTES
  for (const { older, newer } of keys.values())
    size += ENTRY_BYTES + 4 * ((older?.context.text.length ?? 0) + newer.context.text.length)
  return size
}
