import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { JournalPort } from '../journal/api.ts'
import type { StoredRecord } from '../storage/commit.ts'
import type { UserStore } from '../storage/store.ts'
import type { Session, Settings, SettingsPatch } from './api.ts'
import { type Credentials, readSecret, SECRET_KIND, sealSecret } from './secrets.ts'
import {
  readSession,
  SESSION_KIND,
  SESSIONS_MAX,
  type StoredSession,
  sessionOf,
  sessionsToEnd,
  usedSession,
  writeSession,
} from './sessions.ts'
import type { Catalog } from './settings/catalog.ts'
import { type PinnedSettings, resolveSettings, type UserSettings } from './settings/layers.ts'
import { configureUser, readUserSettings, SETTINGS_RECORD, writeUserSettings } from './settings/user-settings.ts'

export interface Told {
  readonly actor: string
  readonly reason: string | undefined
  /** Aborted before the step was decided, it is not. */
  readonly signal: AbortSignal | undefined
}

export interface SessionUse {
  readonly incarnation: number
  readonly provider: string | null
  readonly model: string | null
}

export interface NamedSecret {
  readonly name: string
  readonly fields: Credentials | null
}

export interface NewSession {
  readonly id: string
  readonly policy: 'pin' | 'follow'
  readonly signal: AbortSignal | undefined
}

export interface RuntimeRepositoryDeps {
  readonly journal: JournalPort
  readonly users: UserStore
  readonly keys: Keyring
  readonly catalogue: Catalog
}

/** Everything the runtime writes about a user: each method is one atomic step through the journal. */
export class RuntimeRepository {
  readonly #house: RuntimeRepositoryDeps

  constructor(house: RuntimeRepositoryDeps) {
    this.#house = house
  }

  configure(
    user: Subject,
    patch: SettingsPatch,
    told: Told & { expectedVersion: number | undefined },
  ): Promise<Settings> {
    const { expectedVersion, actor, reason, signal } = told
    const { journal, catalogue } = this.#house
    return journal.write(user, {
      signal,
      reads: [SETTINGS_RECORD],
      decide({ incarnation, record }) {
        const before = readUserSettings(record(SETTINGS_RECORD.kind, SETTINGS_RECORD.name), incarnation)
        if (expectedVersion !== undefined && expectedVersion !== before.version) throw conflict(before.version)
        const { own, resolved, changed } = configureUser(catalogue, before, patch)
        const result = (): Settings => resolved.settings
        if (changed.length === 0) return { result }
        const event = {
          type: 'admin_action',
          detail: `settings: ${changed.join(', ')}`,
          data: {
            action: 'settings_changed',
            version: own.version,
            before: only(changed, before.patch),
            after: only(changed, own.patch),
          },
          actor,
          reason,
        }
        return {
          events: [event],
          records: [{ ...SETTINGS_RECORD, value: writeUserSettings(own, incarnation) }],
          result,
        }
      },
    })
  }

  /** null removes. */
  setSecret(user: Subject, { name, fields }: NamedSecret, { actor, signal }: Omit<Told, 'reason'>): Promise<void> {
    const { journal, keys } = this.#house
    return journal.write(user, {
      signal,
      reads: [{ kind: SECRET_KIND, name }],
      decide({ incarnation, now, record }) {
        const before = record(SECRET_KIND, name)
        const isThere = before !== undefined && readSecret(name, before, incarnation) !== undefined
        if (fields === null && !isThere) return { result: () => undefined }
        const at = new Date(now).toISOString()
        const value = fields && sealSecret(keys, { user, incarnation, name }, fields, at)
        const event = {
          type: 'admin_action',
          detail: `secret ${fields === null ? 'removed' : 'set'}: ${name}`,
          data: {
            action: fields === null ? 'secret_removed' : 'secret_set',
            name,
            ...(fields === null ? {} : { fields: Object.keys(fields) }),
          },
          actor,
        }
        return { events: [event], records: [{ kind: SECRET_KIND, name, value }], result: () => undefined }
      },
    })
  }

  /** Logs why somebody who exists was evicted. */
  noteEviction(user: Subject, { actor, reason, signal }: Told): Promise<void> {
    const { journal } = this.#house
    return journal.write(user, {
      signal,
      decide({ exists }) {
        const event = { type: 'admin_action', detail: 'evicted', data: { action: 'evicted' }, actor, reason }
        return { events: exists ? [event] : [], result: () => undefined }
      },
    })
  }

  async startSession(user: Subject, { id, policy, signal }: NewSession): Promise<Session> {
    const { journal, catalogue } = this.#house
    const others = (await this.#storedSessions(user)).map(({ name }) => name).filter((name) => name !== id)
    return journal.write(user, {
      signal,
      reads: [SETTINGS_RECORD, ...[...others, id].map((name) => ({ kind: SESSION_KIND, name }))],
      decide({ incarnation, now, record }) {
        const read = (name: string) => readSession(record(SESSION_KIND, name), { incarnation, now })
        const running = read(id)
        if (running?.policy === policy) return { result: () => sessionOf(id, running) }
        const own = readUserSettings(record(SETTINGS_RECORD.kind, SETTINGS_RECORD.name), incarnation)
        const session: StoredSession = {
          incarnation,
          policy,
          version: own.version,
          createdAt: running?.createdAt ?? now,
          lastUsedAt: now,
          models: running?.models ?? [],
          ...(policy === 'pin' ? { pinned: pin(catalogue, own) } : {}),
        }
        const ending = sessionsToEnd(others.map((name) => ({ name, stored: read(name) })))
        return {
          records: [
            ...ending.map((name) => ({ kind: SESSION_KIND, name, value: null })),
            { kind: SESSION_KIND, name: id, value: writeSession(session) },
          ],
          result: () => sessionOf(id, session),
        }
      },
    })
  }

  async sessions(user: Subject): Promise<Session[]> {
    const { journal } = this.#house
    const { incarnation, now } = await journal.read(user)
    return (await this.#storedSessions(user))
      .flatMap(({ name, value }) => {
        const stored = readSession(value, { incarnation, now })
        return stored === undefined ? [] : [{ name, stored }]
      })
      .sort((a, b) => b.stored.lastUsedAt - a.stored.lastUsedAt || (a.name < b.name ? -1 : 1))
      .map(({ name, stored }) => sessionOf(name, stored))
  }

  endSession(user: Subject, id: string, signal: AbortSignal | undefined): Promise<boolean> {
    const { journal } = this.#house
    return journal.write(user, {
      signal,
      reads: [{ kind: SESSION_KIND, name: id }],
      decide({ incarnation, now, record }) {
        const before = record(SESSION_KIND, id)
        const wasThere = readSession(before, { incarnation, now }) !== undefined
        if (before === undefined) return { result: () => false }
        return { records: [{ kind: SESSION_KIND, name: id, value: null }], result: () => wasThere }
      },
    })
  }

  /** Notes what a session ran on. */
  useSession(user: Subject, id: string, { incarnation, provider, model }: SessionUse): Promise<void> {
    const { journal } = this.#house
    return journal.write(user, {
      incarnation,
      reads: [{ kind: SESSION_KIND, name: id }],
      decide({ now, record }) {
        const before = readSession(record(SESSION_KIND, id), { incarnation, now })
        const after = before && usedSession(before, { provider, model, now })
        if (after === undefined || after === before) return { result: () => undefined }
        return {
          records: [{ kind: SESSION_KIND, name: id, value: writeSession(after) }],
          result: () => undefined,
        }
      },
    })
  }

  #storedSessions(user: Subject): Promise<readonly StoredRecord[]> {
    return this.#house.users.records(user, SESSION_KIND, { limit: SESSIONS_MAX * 2, order: 'ascending' })
  }
}

/** The settings as they stand, to be kept for a session. */
function pin(catalogue: Catalog, own: UserSettings): PinnedSettings {
  const { settings, fault, operatorBaseURL, anyServer } = resolveSettings(catalogue, own)
  if (fault !== undefined) throw fault
  const { version, origin: _origin, ...fields } = settings
  return { version, fields, operatorBaseURL, anyServer }
}

function only(fields: readonly string[], patch: SettingsPatch): Record<string, unknown> {
  return Object.fromEntries(fields.map((field) => [field, patch[field as keyof SettingsPatch] ?? null]))
}

function conflict(version: number): PurserError {
  return new PurserError('version_conflict', `The settings are at version ${version} by now.`, {
    hint: 'Read them again and decide anew.',
    details: { version },
  })
}
