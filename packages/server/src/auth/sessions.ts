import type { Effects } from 'purser'
import { CasDocument, type Shelf } from './cas-document.ts'
import type { Identity, Role } from './roles.ts'
import { hashOf, newToken } from './token.ts'

/** Somebody who is signed in to the Deck. */
export interface Session {
  readonly name: string
  readonly role: Role
  readonly expiresAt: string
}

interface StoredSession extends Session {
  readonly hash: string
  /** The key it was opened with; null for a sign-in link. */
  readonly key: string | null
}

export const SESSION_MS: number = 12 * 3_600_000
export const LINK_MS = 600_000
const MAX_SESSIONS = 1_000
const MAX_LINKS = 100

/**
 * Sessions of the Deck. They are kept as hashes in the store, so that a restart signs nobody out, and a session that
 * was opened with a key ends when the key is revoked. Sign-in links live in this process only.
 */
export class Sessions {
  readonly #stored: CasDocument<readonly StoredSession[]>
  readonly #effects: Effects
  readonly #keyHolds: (id: string) => Promise<boolean>
  readonly #links = new Map<string, number>()

  constructor(shelf: Shelf, effects: Effects, keyHolds: (id: string) => Promise<boolean>) {
    this.#stored = new CasDocument<readonly StoredSession[]>(shelf, 'server-sessions', [], effects)
    this.#effects = effects
    this.#keyHolds = keyHolds
  }

  /** A token for one sign-in as admin within ten minutes. */
  createLink(): string {
    const token = newToken('link')
    this.#links.set(hashOf(token), this.#effects.now() + LINK_MS)
    const oldest = this.#links.keys().next().value
    if (this.#links.size > MAX_LINKS && oldest !== undefined) this.#links.delete(oldest)
    return token
  }

  /** Uses a link up; undefined when it is unknown, used or too old. */
  async redeem(link: string): Promise<{ readonly token: string; readonly session: Session } | undefined> {
    const hash = hashOf(link)
    const expiresAt = this.#links.get(hash)
    this.#links.delete(hash)
    if (expiresAt === undefined || this.#effects.now() >= expiresAt) return undefined
    return this.open({ name: 'console', role: 'admin' }, null)
  }

  async open(identity: Identity, key: string | null): Promise<{ readonly token: string; readonly session: Session }> {
    const token = newToken('session')
    const now = this.#effects.now()
    const session: Session = {
      name: identity.name,
      role: identity.role,
      expiresAt: new Date(now + SESSION_MS).toISOString(),
    }
    await this.#stored.change((sessions) => [
      ...sessions.filter((kept) => Date.parse(kept.expiresAt) > now).slice(1 - MAX_SESSIONS),
      { ...session, hash: hashOf(token), key },
    ])
    return { token, session }
  }

  async find(token: string): Promise<Session | undefined> {
    const hash = hashOf(token)
    const found = (await this.#stored.read()).find((session) => session.hash === hash)
    if (found === undefined || Date.parse(found.expiresAt) <= this.#effects.now()) return undefined
    if (found.key !== null && !(await this.#keyHolds(found.key))) return undefined
    return { name: found.name, role: found.role, expiresAt: found.expiresAt }
  }

  async close(token: string): Promise<void> {
    const hash = hashOf(token)
    await this.#stored.change((sessions) => sessions.filter((session) => session.hash !== hash))
  }
}
