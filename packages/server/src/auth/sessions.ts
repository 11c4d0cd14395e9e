import { type Effects, type MetaStore, PurserError } from 'purser'
import { CasDocument } from './cas-document.ts'
import { type Identity, ROLES, type Role } from './scopes.ts'
import { createToken, hashToken } from './token.ts'

/** A signed-in session of the Deck. */
export interface Session {
  /** Id of the key it was opened with; null for a sign-in link. */
  readonly key: string | null
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
}

interface StoredLink {
  readonly hash: string
  /** Epoch ms. */
  readonly expiresAt: number
}

export const SESSION_MS: number = 12 * 3_600_000
const LINK_MS = 600_000
const MAX_SESSIONS = 1_000
/** Sessions of one key, or of all sign-in links. A further one ends the oldest of the same key. */
const MAX_SESSIONS_PER_KEY = 100
const MAX_LINKS = 100

/**
 * Sessions of the Deck. The store holds their hashes, so sessions survive a restart. A session that was opened with a
 * key ends with the key: when it is revoked, or when the environment sets another one. Sign-in links work on every instance.
 */
export class Sessions {
  readonly #document: CasDocument<readonly StoredSession[]>
  readonly #effects: Effects
  readonly #hasKey: (id: string) => Promise<boolean>
  readonly #links: CasDocument<readonly StoredLink[]>

  constructor(deps: SessionsDeps) {
    this.#document = new CasDocument<readonly StoredSession[]>(deps, 'server-sessions', [])
    this.#links = new CasDocument<readonly StoredLink[]>(deps, 'server-sign-in-links', [])
    this.#effects = deps.effects
    this.#hasKey = deps.hasKey
  }

  /** A token for one sign-in as admin within 10 minutes. */
  async createLink(): Promise<string> {
    const token = createToken('link')
    const now = this.#effects.now()
    const link: StoredLink = { hash: hashToken(token), expiresAt: now + LINK_MS }
    await this.#links.change((links) => [...links.filter(({ expiresAt }) => now < expiresAt), link].slice(-MAX_LINKS))
    return token
  }

  /** Consumes a link; undefined when it is unknown, used or expired. */
  async redeemLink(link: string): Promise<OpenedSession | undefined> {
    const hash = hashToken(link)
    const isLink = (stored: StoredLink): boolean => stored.hash === hash
    // A guess costs a read that is cached for a second, and no write.
    if (!(await this.#links.read()).some(isLink)) this.#links.expire()
    if (!(await this.#links.read()).some(isLink)) return undefined
    let expiresAt: number | undefined
    await this.#links.change((links) => {
      expiresAt = links.find(isLink)?.expiresAt
      return expiresAt === undefined ? links : links.filter((stored) => !isLink(stored))
    })
    if (expiresAt === undefined || this.#effects.now() >= expiresAt) return undefined
    return this.open({ name: 'console', role: 'admin' }, null)
  }

  /**
   * Opens a session for 12 hours. At the limit of its key it ends the oldest session of that key; at the limit of all
   * sessions it ends the oldest of the least powerful role, and none of a more powerful role than its own. Rejects with
   * `store_unavailable` when only such sessions are open.
   */
  async open(identity: Pick<Identity, 'name' | 'role'>, key: string | null): Promise<OpenedSession> {
    const token = createToken('session')
    const now = this.#effects.now()
    const expiresAt = new Date(now + SESSION_MS).toISOString()
    const session: Session = { key, name: identity.name, role: identity.role, expiresAt }
    await this.#document.change((sessions) => [
      ...dropSurplus(
        sessions.filter((other) => Date.parse(other.expiresAt) > now),
        session,
      ),
      { ...session, hash: hashToken(token) },
    ])
    return { token, session }
  }

  async find(token: string): Promise<Session | undefined> {
    const hash = hashToken(token)
    const stored = (await this.#document.read()).find((session) => session.hash === hash)
    if (stored === undefined || Date.parse(stored.expiresAt) <= this.#effects.now()) return undefined
    if (stored.key !== null && !(await this.#hasKey(stored.key))) return undefined
    const { key, name, role, expiresAt } = stored
    return { key, name, role, expiresAt }
  }

  /** Resolves to whether there was such a session. */
  async close(token: string): Promise<boolean> {
    const hash = hashToken(token)
    let isOpen = false
    await this.#document.change((sessions) => {
      isOpen = sessions.some((session) => session.hash === hash)
      return isOpen ? sessions.filter((session) => session.hash !== hash) : sessions
    })
    return isOpen
  }

  /** Ends all sessions and sign-in links. Resolves to the number of sessions. */
  async closeAll(): Promise<number> {
    await this.#links.change(() => [])
    let count = 0
    await this.#document.change((sessions) => {
      count = sessions.filter(({ expiresAt }) => Date.parse(expiresAt) > this.#effects.now()).length
      return []
    })
    return count
  }
}

/** The sessions that stay when one more is opened, oldest first. */
function dropSurplus(sessions: readonly StoredSession[], { key, role }: Session): readonly StoredSession[] {
  const ofKey = sessions.filter((session) => session.key === key)
  const ended = ofKey.length < MAX_SESSIONS_PER_KEY ? findLeastPowerful(sessions) : ofKey[0]
  if (ended === undefined) return sessions
  if (ROLES.indexOf(ended.role) > ROLES.indexOf(role)) {
    throw new PurserError('store_unavailable', `The limit of ${MAX_SESSIONS} sessions is reached.`, {
      hint: 'An admin can end all sessions: DELETE /api/sessions.',
    })
  }
  return sessions.filter((session) => session !== ended)
}

/** The session to end when there are as many as allowed; undefined when there are fewer. */
function findLeastPowerful(sessions: readonly StoredSession[]): StoredSession | undefined {
  if (sessions.length < MAX_SESSIONS) return undefined
  for (const role of ROLES) {
    const oldest = sessions.find((session) => session.role === role)
    if (oldest !== undefined) return oldest
  }
  return undefined
}
