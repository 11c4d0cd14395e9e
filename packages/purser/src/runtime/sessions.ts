import type { Session } from './api.ts'
import type { PinnedSettings } from './settings/layers.ts'

/*
 * A session is a conversation that may keep the settings it began with. Its record is written when it starts, and
 * again when it is used with something new or after an hour; never on the way of a turn.
 */

export const SESSION_KIND = 'session'

/** Sessions of one user; one more ends the longest unused. */
export const SESSIONS_MAX = 100
/** A session unused for longer is over: 90 days. */
export const SESSION_IDLE_MS: number = 90 * 86_400_000
/** The last use is written at most this often. */
export const SESSION_TOUCH_MS = 3_600_000
/** Models remembered per session. */
const MODELS_MAX = 20

export interface StoredSession {
  readonly incarnation: number
  readonly policy: 'pin' | 'follow'
  readonly version: number
  /** Epoch ms. */
  readonly createdAt: number
  readonly lastUsedAt: number
  readonly models: readonly { readonly provider: string; readonly model: string; readonly at: number }[]
  /** Only of a pinned one. */
  readonly pinned?: PinnedSettings | undefined
}

/** Reads a record; undefined when it is of another life or over. */
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

export function sessionOf(id: string, stored: StoredSession): Session {
  return {
    id,
    policy: stored.policy,
    version: stored.version,
    createdAt: new Date(stored.createdAt).toISOString(),
    lastUsedAt: new Date(stored.lastUsedAt).toISOString(),
    models: stored.models.map(({ provider, model, at }) => ({
      provider,
      model,
      firstUsedAt: new Date(at).toISOString(),
    })),
  }
}

/** What a use changes; the same object when there is nothing worth writing. */
export function usedSession(
  stored: StoredSession,
  use: { readonly provider: string | null; readonly model: string | null; readonly now: number },
): StoredSession {
  const { provider, model, now } = use
  const isKnown =
    provider === null || model === null || stored.models.some((one) => one.provider === provider && one.model === model)
  if (isKnown && now - stored.lastUsedAt < SESSION_TOUCH_MS) return stored
  const models = isKnown ? stored.models : [...stored.models, { provider, model, at: now }].slice(-MODELS_MAX)
  return { ...stored, lastUsedAt: Math.max(stored.lastUsedAt, now), models }
}

/** The names that must go so that one more session has room: those that are over, then the longest unused. */
export function sessionsToEnd(
  sessions: readonly { readonly name: string; readonly stored: StoredSession | undefined }[],
): string[] {
  const over = sessions.filter(({ stored }) => stored === undefined).map(({ name }) => name)
  const alive = sessions
    .flatMap(({ name, stored }) => (stored === undefined ? [] : [{ name, lastUsedAt: stored.lastUsedAt }]))
    .sort((a, b) => a.lastUsedAt - b.lastUsedAt)
  const crowded = alive.slice(0, Math.max(0, alive.length - SESSIONS_MAX + 1)).map(({ name }) => name)
  return [...over, ...crowded]
}
