import type { Effects, MetaStore } from 'purser'
import { CasDocument } from './cas-document.ts'
import type { Identity, Role } from './scopes.ts'
import { createToken, hashToken } from './token.ts'

/** A signed-in session of the Deck. */
export interface Session {
  readonly name: string
  readonly role: Role
  readonly expiresAt: string
}

export interface OpenedSession {
  readonly token: string
  readonly session: Session
}

export interface SessionsDeps {
  readonly meta: MetaStore
  readonly effects: Effects
  /** Whether the key with this id is still valid. */
  readonly hasKey: (id: string) => Promise<boolean>
}

interface StoredSession extends Session {
  readonly hash: string
  /** Id of the key it was opened with; null for a sign-in link. */
  readonly key: string | null
}

export const SESSION_MS: number = 12 * 3_600_000
const LINK_MS = 600_000
const MAX_SESSIONS = 1_000
const MAX_LINKS = 100

/**
 * Sessions of the Deck. The store holds their hashes, so sessions survive a restart. A session that was opened with a
 * key ends when the key is revoked. Sign-in links exist only in this process.
 */
export class Sessions {
  readonly #document: CasDocument<readonly StoredSession[]>
  readonly #effects: Effects
  readonly #hasKey: (id: string) => Promise<boolean>
  /** Expiry in epoch ms by the hash of the link. */
  readonly #links = new Map<string, number>()

  constructor(deps: SessionsDeps) {
    this.#document = new CasDocument<readonly StoredSession[]>(deps, 'server-sessions', [])
    this.#effects = deps.effects
    this.#hasKey = deps.hasKey
  }

  /** A token for one sign-in as admin within 10 minutes. */
  createLink(): string {
    const token = createToken('link')
    this.#links.set(hashToken(token), this.#effects.now() + LINK_MS)
    const oldest = this.#links.keys().next().value
    if (this.#links.size > MAX_LINKS && oldest !== undefined) this.#links.delete(oldest)
    return token
  }

  /** Consumes a link; undefined when it is unknown, used or expired. */
  async redeemLink(link: string): Promise<OpenedSession | undefined> {
    const hash = hashToken(link)
    const expiresAt = this.#links.get(hash)
    this.#links.delete(hash)
    if (expiresAt === undefined || this.#effects.now() >= expiresAt) return undefined
    return this.open({ name: 'console', role: 'admin' }, null)
  }

  /** Opens a session for 12 hours. Drops expired sessions, and the oldest beyond 1,000. */
  async open(identity: Identity, key: string | null): Promise<OpenedSession> {
    const token = createToken('session')
    const now = this.#effects.now()
    const session: Session = {
      name: identity.name,
      role: identity.role,
      expiresAt: new Date(now + SESSION_MS).toISOString(),
    }
    await this.#document.change((sessions) => [
      ...sessions.filter(({ expiresAt }) => Date.parse(expiresAt) > now).slice(1 - MAX_SESSIONS),
      { ...session, hash: hashToken(token), key },
    ])
    return { token, session }
  }

  async find(token: string): Promise<Session | undefined> {
    const hash = hashToken(token)
    const stored = (await this.#document.read()).find((session) => session.hash === hash)
    if (stored === undefined || Date.parse(stored.expiresAt) <= this.#effects.now()) return undefined
    if (stored.key !== null && !(await this.#hasKey(stored.key))) return undefined
    return { name: stored.name, role: stored.role, expiresAt: stored.expiresAt }
  }

  async close(token: string): Promise<void> {
    const hash = hashToken(token)
    await this.#document.change((sessions) => sessions.filter((session) => session.hash !== hash))
  }
}
