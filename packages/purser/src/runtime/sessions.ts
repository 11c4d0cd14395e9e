import { parseOneOf, throwInvalid } from '../core/validate.ts'
import type { Session } from './api.ts'
import type { PinnedSettings } from './settings/layers.ts'

/*
 * A session is a conversation that can keep the settings of its start. Its record is written when it starts, and again
 * when it is used on a new model or after an hour, but never while a turn waits for it.
 */

export const SESSION_KIND = 'session'

/** Sessions of one user; a further one ends the least recently used. */
export const SESSIONS_MAX = 100
const SESSION_ID_MAX_BYTES = 256
/** A session that is unused for longer has ended: 90 days. */
const SESSION_IDLE_MS = 90 * 86_400_000
/** The time of the last use is written at most this often. */
const SESSION_TOUCH_MS = 3_600_000
/** Models recorded per session. */
const MODELS_MAX = 20

export interface StoredSession {
  readonly incarnation: number
  readonly policy: 'pin' | 'follow'
  readonly version: number
  /** Epoch ms. */
  readonly createdAt: number
  /** Epoch ms. */
  readonly lastUsedAt: number
  readonly models: readonly { readonly provider: string; readonly model: string; readonly at: number }[]
  /** Present with the policy `pin`. */
  readonly pinned?: PinnedSettings | undefined
}

/** Session ids are compared byte for byte, like user ids. */
export function parseSessionId(id: unknown): string {
  const isId =
    typeof id === 'string' &&
    id !== '' &&
    id.isWellFormed() &&
    Buffer.byteLength(id) <= SESSION_ID_MAX_BYTES &&
    !/\p{Cc}/u.test(id)
  if (isId) return id
  return throwInvalid(`A session id must be text of 1 to ${SESSION_ID_MAX_BYTES} bytes without control characters.`, {
    code: 'session_invalid',
  })
}

export function parseSessionPolicy(policy: unknown): 'pin' | 'follow' {
  return parseOneOf(policy, ['pin', 'follow'], { name: 'policy', code: 'session_invalid' })
}

/** Parses a record; undefined when it belongs to another incarnation or has ended. */
export function readSession(
  record: string | undefined,
  { incarnation, now }: { readonly incarnation: number; readonly now: number },
): StoredSession | undefined {
  if (record === undefined) return undefined
  const stored = JSON.parse(record) as StoredSession
  return stored.incarnation === incarnation && now - stored.lastUsedAt <= SESSION_IDLE_MS ? stored : undefined
}

export function writeSession(session: StoredSession): string {
  return JSON.stringify({ v: 1, ...session })
}

export function toSession(id: string, { policy, version, createdAt, lastUsedAt, models }: StoredSession): Session {
  return {
    id,
    policy,
    version,
    createdAt: new Date(createdAt).toISOString(),
    lastUsedAt: new Date(lastUsedAt).toISOString(),
    models: models.map(({ provider, model, at }) => ({ provider, model, firstUsedAt: new Date(at).toISOString() })),
  }
}

/** Returns the session after a use; the same object when nothing has to be written. */
export function withUse(
  session: StoredSession,
  { provider, model, now }: { readonly provider: string | null; readonly model: string | null; readonly now: number },
): StoredSession {
  const isKnown =
    provider === null ||
    model === null ||
    session.models.some((used) => used.provider === provider && used.model === model)
  if (isKnown && now - session.lastUsedAt < SESSION_TOUCH_MS) return session
  const models = isKnown ? session.models : [...session.models, { provider, model, at: now }].slice(-MODELS_MAX)
  return { ...session, lastUsedAt: Math.max(session.lastUsedAt, now), models }
}

/** Selects the sessions to delete before one more starts: those that have ended, then the least recently used. */
export function selectSessionsToEnd(
  sessions: readonly { readonly name: string; readonly stored: StoredSession | undefined }[],
): string[] {
  const ended = sessions.filter(({ stored }) => stored === undefined).map(({ name }) => name)
  const running = sessions
    .flatMap(({ name, stored }) => (stored === undefined ? [] : [{ name, lastUsedAt: stored.lastUsedAt }]))
    .sort((a, b) => a.lastUsedAt - b.lastUsedAt)
  const surplus = running.slice(0, Math.max(0, running.length - SESSIONS_MAX + 1)).map(({ name }) => name)
  return [...ended, ...surplus]
}
