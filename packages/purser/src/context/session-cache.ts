import { LRUCache } from 'lru-cache'
import type { PrefixChange } from './api.ts'
import type { CacheEntry } from './cache-entry.ts'

/** A section as it is shown until its data is invalidated, or until `until`. */
export interface FrozenSection {
  readonly entry: CacheEntry
  /** It is rendered as of this instant, epoch ms. */
  readonly frozenAt: number
  /** Epoch ms. */
  readonly until: number
}

interface SessionState {
  readonly frozen: Map<string, FrozenSection>
  prefixHash: string | undefined
}

/** Sessions of one user, the least recently used first. */
type UserSessions = Map<string, SessionState>

export interface SessionCacheLimits {
  readonly maxUsers: number
  readonly maxSessionsPerUser: number
  readonly maxFrozenBytes: number
}

/** Approximate size of a session without data. */
const SESSION_BYTES = 256

/** Frozen sections and the last prefix of each session, limited by users, sessions and bytes. */
export class SessionCache {
  readonly #users: LRUCache<string, UserSessions>
  readonly #maxSessionsPerUser: number

  constructor({ maxUsers, maxSessionsPerUser, maxFrozenBytes }: SessionCacheLimits) {
    this.#users = new LRUCache({ max: Number.isFinite(maxUsers) ? maxUsers : 0, maxSize: maxFrozenBytes })
    this.#maxSessionsPerUser = maxSessionsPerUser
  }

  /** `now`: epoch ms. */
  getFrozen(
    userId: string,
    session: string,
    { cacheKey, now }: { cacheKey: string; now: number },
  ): FrozenSection | undefined {
    const frozen = this.#users.get(userId)?.get(session)?.frozen.get(cacheKey)
    return frozen !== undefined && now < frozen.until ? frozen : undefined
  }

  freeze(userId: string, session: string, cacheKey: string, frozen: FrozenSection): void {
    this.#use(userId, session, (state) => state.frozen.set(cacheKey, frozen))
  }

  /** Remembers the prefix of a turn, and compares it with the one before. */
  comparePrefix(userId: string, session: string, prefixHash: string): PrefixChange {
    const before = this.#users.get(userId)?.get(session)?.prefixHash
    if (before === prefixHash) return 'same'
    this.#use(userId, session, (state) => {
      state.prefixHash = prefixHash
    })
    return before === undefined ? 'first' : 'changed'
  }

  /** Unfreezes the sections of a user whose cache key matches. */
  unfreeze(userId: string, matches: (cacheKey: string) => boolean): void {
    const sessions = this.#users.peek(userId)
    if (sessions === undefined) return
    for (const { frozen } of sessions.values())
      for (const cacheKey of frozen.keys()) if (matches(cacheKey)) frozen.delete(cacheKey)
    this.#store(userId, sessions)
  }

  endSession(userId: string, session: string): void {
    const sessions = this.#users.peek(userId)
    if (sessions?.delete(session)) this.#store(userId, sessions)
  }

  forget(userId: string): void {
    this.#users.delete(userId)
  }

  clear(): void {
    this.#users.clear()
  }

  #use(userId: string, session: string, change: (state: SessionState) => void): void {
    const sessions: UserSessions = this.#users.get(userId) ?? new Map()
    const state = sessions.get(session) ?? { frozen: new Map(), prefixHash: undefined }
    change(state)
    sessions.delete(session)
    sessions.set(session, state)
    if (sessions.size > this.#maxSessionsPerUser) sessions.delete(sessions.keys().next().value as string)
    this.#store(userId, sessions)
  }

  /** The LRU cache takes a new size only with a new entry. */
  #store(userId: string, sessions: UserSessions): void {
    let size = SESSION_BYTES
    for (const { frozen } of sessions.values()) {
      size += SESSION_BYTES
      for (const { entry } of frozen.values()) size += entry.data.bytes
    }
    this.#users.delete(userId)
    this.#users.set(userId, sessions, { size })
  }
}
