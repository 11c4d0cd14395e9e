import type { AbortSignalLike } from '../core/call-signal.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { JournalPort } from '../journal/api.ts'
import type { NewEvent } from '../journal/event.ts'
import type { StoredRecord } from '../storage/commit.ts'
import type { UserStore } from '../storage/store.ts'
import type { Session } from './api.ts'
import type { PlanOf } from './repository.ts'
import {
  readSession,
  SESSION_KIND,
  SESSIONS_MAX,
  type StoredSession,
  selectSessionsToEnd,
  toSession,
  withUse,
  writeSession,
} from './sessions.ts'
import { type Catalog, catalogOf } from './settings/catalog.ts'
import type { PinnedSettings, UserSettings } from './settings/layers.ts'
import { resolveSettings } from './settings/resolve-settings.ts'
import { readUserSettings, SETTINGS_RECORD } from './settings/user-settings.ts'

export interface SessionRepositoryDeps {
  readonly journal: JournalPort
  readonly users: UserStore
  readonly catalog: Catalog
  readonly planOf: PlanOf
  readonly effects: Pick<Effects, 'now'>
}

export interface StartSessionRequest {
  readonly id: string
  readonly policy: 'pin' | 'follow'
  /** Recorded in the event. */
  readonly actor: string
  readonly signal: AbortSignalLike | undefined
}

/** The model that a session was used on, by which incarnation of the user. */
export interface SessionUse {
  readonly incarnation: number
  readonly provider: string | null
  readonly model: string | null
}

/** The sessions in the store; each write is one atomic step through the journal. */
export class SessionRepository {
  readonly #deps: SessionRepositoryDeps
  readonly #pendingUses = new Set<Promise<void>>()

  constructor(deps: SessionRepositoryDeps) {
    this.#deps = deps
  }

  /** Undefined for a session that is unknown or has ended. */
  async read(user: Subject, id: string, incarnation: number): Promise<StoredSession | undefined> {
    const { users, effects } = this.#deps
    const record = await users.record(user, SESSION_KIND, id)
    return readSession(record, { incarnation, now: effects.now() })
  }

  /** Most recently used first. */
  async list(user: Subject): Promise<Session[]> {
    const { incarnation, now } = await this.#deps.journal.read(user)
    return (await this.#readRecords(user))
      .flatMap(({ name, value }) => {
        const stored = readSession(value, { incarnation, now })
        return stored === undefined ? [] : [{ name, stored }]
      })
      .sort((a, b) => b.stored.lastUsedAt - a.stored.lastUsedAt || (a.name < b.name ? -1 : 1))
      .map(({ name, stored }) => toSession(name, stored))
  }

  async start(user: Subject, { id, policy, actor, signal }: StartSessionRequest): Promise<Session> {
    const { journal, catalog, planOf } = this.#deps
    const others = (await this.#readRecords(user)).map(({ name }) => name).filter((name) => name !== id)
    return journal.write(user, {
      signal,
      reads: [SETTINGS_RECORD, ...[...others, id].map((name) => ({ kind: SESSION_KIND, name }))],
      decide({ incarnation, now, record, state }) {
        const read = (name: string) => readSession(record(SESSION_KIND, name), { incarnation, now })
        const running = read(id)
        if (running?.policy === policy) return { result: () => toSession(id, running) }
        const userSettings = readUserSettings(record(SETTINGS_RECORD.kind, SETTINGS_RECORD.name), incarnation)
        const session: StoredSession = {
          incarnation,
          policy,
          version: userSettings.version,
          createdAt: running?.createdAt ?? now,
          lastUsedAt: now,
          models: running?.models ?? [],
          ...(policy === 'pin' ? { pinned: pinSettings(catalogOf(catalog, planOf(state)), userSettings) } : {}),
        }
        const ending = selectSessionsToEnd(others.map((name) => ({ name, stored: read(name) })))
        return {
          events: [sessionEvent('session_started', { session: id, policy }, actor)],
          records: [
            ...ending.map((name) => ({ kind: SESSION_KIND, name, value: null })),
            { kind: SESSION_KIND, name: id, value: writeSession(session) },
          ],
          result: () => toSession(id, session),
        }
      },
    })
  }

  /** Resolves to whether there was such a session. */
  end(
    user: Subject,
    id: string,
    { actor, signal }: { readonly actor: string; readonly signal: AbortSignalLike | undefined },
  ): Promise<boolean> {
    return this.#deps.journal.write(user, {
      signal,
      reads: [{ kind: SESSION_KIND, name: id }],
      decide({ incarnation, now, record }) {
        const before = record(SESSION_KIND, id)
        const wasRunning = readSession(before, { incarnation, now }) !== undefined
        if (before === undefined) return { result: () => false }
        return {
          events: wasRunning ? [sessionEvent('session_ended', { session: id }, actor)] : [],
          records: [{ kind: SESSION_KIND, name: id, value: null }],
          result: () => wasRunning,
        }
      },
    })
  }

  /** Records the model that a session was used on. `settled` waits for it. */
  recordUse(user: Subject, id: string, { incarnation, provider, model }: SessionUse): Promise<void> {
    const write = this.#deps.journal.write<void>(user, {
      incarnation,
      reads: [{ kind: SESSION_KIND, name: id }],
      decide({ now, record }) {
        const before = readSession(record(SESSION_KIND, id), { incarnation, now })
        const after = before && withUse(before, { provider, model, now })
        if (after === undefined || after === before) return { result: () => undefined }
        return {
          records: [{ kind: SESSION_KIND, name: id, value: writeSession(after) }],
          result: () => undefined,
        }
      },
    })
    const pending: Promise<void> = write.catch(() => undefined).finally(() => this.#pendingUses.delete(pending))
    this.#pendingUses.add(pending)
    return write
  }

  /** Resolves when no recorded use waits for the store any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#pendingUses)
  }

  #readRecords(user: Subject): Promise<readonly StoredRecord[]> {
    return this.#deps.users.records(user, SESSION_KIND, { limit: SESSIONS_MAX * 2, order: 'ascending' })
  }
}

function sessionEvent(action: string, data: Readonly<Record<string, unknown>>, actor: string): NewEvent {
  return { type: 'admin_action', detail: action.replace('_', ' '), data: { action, ...data }, actor }
}

function pinSettings(catalog: Catalog, userSettings: UserSettings): PinnedSettings {
  const { settings, error, operatorBaseURL, anyServer } = resolveSettings(catalog, userSettings)
  if (error !== undefined) throw error
  const { version, origin: _origin, ...fields } = settings
  return { version, fields, operatorBaseURL, anyServer }
}
