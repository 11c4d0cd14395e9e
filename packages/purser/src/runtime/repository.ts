import type { AbortSignalLike } from '../core/call-signal.ts'
import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { JournalPort } from '../journal/api.ts'
import type { SettingsPatch } from '../options/settings-patch.ts'
import type { Store } from '../storage/store.ts'
import type { Settings } from './api.ts'
import { GRANT_KIND, readGrant } from './oauth/grant.ts'
import { type Credentials, openSecret, readSecret, SECRET_KIND, type SealedSecret, sealSecret } from './secrets.ts'
import { type Catalog, catalogOf } from './settings/catalog.ts'
import type { UserSettings } from './settings/layers.ts'
import { patchUserSettings, readUserSettings, SETTINGS_RECORD, writeUserSettings } from './settings/user-settings.ts'

/** The stored runtime of one user. Secrets stay sealed. */
export interface StoredRuntime {
  readonly incarnation: number
  /** Null: none. */
  readonly plan: string | null
  readonly userSettings: UserSettings
  readonly secrets: ReadonlyMap<string, SealedSecret>
  /** The id of the authorization for each MCP server that uses OAuth; refreshing its tokens does not change the id. */
  readonly grantIds: ReadonlyMap<string, string>
}

export interface RuntimeRepositoryDeps {
  readonly journal: JournalPort
  readonly store: Pick<Store, 'users' | 'traits'>
  readonly keys: Keyring
  readonly catalog: Catalog
  readonly planOf: PlanOf
  readonly effects: Effects
  /** After a failure of the store, further reads are rejected at once for a second. */
  readonly pausesReads: boolean
}

/** The plan that applies to a user, from the state that the user's events fold to; null: none. */
export type PlanOf = (state: unknown) => string | null

/** What is logged with a write. */
export interface WriteOptions {
  readonly actor: string
  readonly reason: string | undefined
  /** A write that is aborted before it was decided is not done. */
  readonly signal: AbortSignalLike | undefined
}

export interface ConfigureRequest {
  readonly patch: SettingsPatch
  readonly expectedVersion: number | undefined
}

export interface SetSecretRequest {
  readonly name: string
  /** null removes the secret. */
  readonly fields: Credentials | null
}

/** Limit of one read; a user has at most one secret for each provider and MCP server that is or was configured. */
const SECRETS_MAX = 1_000
/** After a failed read, so that callers who can do without do not wait for a store that hangs. */
const READ_PAUSE_MS = 1_000

/** Shared by all users without secrets: thousands of runtimes may be in memory. */
const EMPTY: ReadonlyMap<string, never> = new Map<string, never>()

/** Settings and secrets in the store; each write is one atomic step through the journal. */
export class RuntimeRepository {
  /** Other processes may write to the same store. */
  readonly isShared: boolean
  readonly #deps: RuntimeRepositoryDeps
  readonly #usesOAuth: boolean
  #pausedUntil = Number.NEGATIVE_INFINITY
  #failure: unknown

  constructor(deps: RuntimeRepositoryDeps) {
    this.#deps = deps
    this.isShared = deps.store.traits.shared
    this.#usesOAuth = deps.catalog.mcpServers.values().some((server) => 'url' in server && server.oauth !== undefined)
  }

  /**
   * Reads the rows one after the other. Records of another incarnation than that of the user row are skipped, so an
   * erasure between two reads never mixes two incarnations.
   */
  async read(user: Subject): Promise<StoredRuntime> {
    if (this.#deps.effects.monotonic() < this.#pausedUntil) throw this.#failure
    try {
      return await this.#readRows(user)
    } catch (error) {
      if (this.#deps.pausesReads && PurserError.is(error, 'store_unavailable')) {
        this.#failure = error
        this.#pausedUntil = this.#deps.effects.monotonic() + READ_PAUSE_MS
      }
      throw error
    }
  }

  async #readRows(user: Subject): Promise<StoredRuntime> {
    const { journal, store, planOf, catalog } = this.#deps
    const row = await store.users.load(user)
    const incarnation = row?.incarnation ?? (await journal.read(user)).incarnation
    if (row === undefined) {
      const userSettings = readUserSettings(undefined, incarnation)
      return { incarnation, plan: planOf({}), userSettings, secrets: EMPTY, grantIds: EMPTY }
    }
    const record = await store.users.record(user, SETTINGS_RECORD.kind, SETTINGS_RECORD.name)
    // The state is read only where a plan has settings.
    const state = row.state === null || catalog.plans.size === 0 ? {} : (JSON.parse(row.state) as unknown)
    return {
      incarnation,
      plan: planOf(state),
      userSettings: readUserSettings(record, incarnation),
      secrets: await this.#readAll(user, SECRET_KIND, (name, value) => readSecret(name, value, incarnation)),
      grantIds: this.#usesOAuth
        ? await this.#readAll(user, GRANT_KIND, (_, value) => readGrant(value, incarnation)?.id)
        : EMPTY,
    }
  }

  /** Opens the user's secret for a provider or an MCP server; null without one. Throws `secret_missing`. */
  openSecret(user: Subject, { incarnation, secrets }: StoredRuntime, name: string): Credentials | null {
    const secret = secrets.get(name)
    return secret === undefined ? null : openSecret(this.#deps.keys, { user, incarnation, name }, secret)
  }

  configure(user: Subject, { patch, expectedVersion }: ConfigureRequest, options: WriteOptions): Promise<Settings> {
    const { journal, catalog, planOf } = this.#deps
    const { actor, reason, signal } = options
    return journal.write(user, {
      signal,
      reads: [SETTINGS_RECORD],
      decide({ incarnation, record, state }) {
        const before = readUserSettings(record(SETTINGS_RECORD.kind, SETTINGS_RECORD.name), incarnation)
        if (expectedVersion !== undefined && expectedVersion !== before.version) throw versionConflict(before.version)
        const { userSettings, resolved, changedFields } = patchUserSettings(
          catalogOf(catalog, planOf(state)),
          before,
          patch,
        )
        const result = (): Settings => resolved.settings
        if (changedFields.length === 0) return { result }
        const event = {
          type: 'admin_action',
          detail: `settings: ${changedFields.join(', ')}`,
          data: {
            action: 'settings_changed',
            version: userSettings.version,
            before: pickFields(before.patch, changedFields),
            after: pickFields(userSettings.patch, changedFields),
          },
          actor,
          reason,
        }
        return {
          events: [event],
          records: [{ ...SETTINGS_RECORD, value: writeUserSettings(userSettings, incarnation) }],
          result,
        }
      },
    })
  }

  setSecret(
    user: Subject,
    { name, fields }: SetSecretRequest,
    { actor, signal }: Omit<WriteOptions, 'reason'>,
  ): Promise<void> {
    const { journal, keys } = this.#deps
    return journal.write(user, {
      signal,
      reads: [{ kind: SECRET_KIND, name }],
      decide({ incarnation, now, record }) {
        const before = record(SECRET_KIND, name)
        const exists = before !== undefined && readSecret(name, before, incarnation) !== undefined
        if (fields === null && !exists) return { result: () => undefined }
        const updatedAt = new Date(now).toISOString()
        const value = fields && sealSecret(keys, { user, incarnation, name }, fields, updatedAt)
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

  /** Logs the reason of an eviction, for a user who exists. */
  logEviction(user: Subject, { actor, reason, signal }: WriteOptions): Promise<void> {
    return this.#deps.journal.write(user, {
      signal,
      decide({ exists }) {
        const event = { type: 'admin_action', detail: 'evicted', data: { action: 'evicted' }, actor, reason }
        return { events: exists ? [event] : [], result: () => undefined }
      },
    })
  }

  async #readAll<Value>(
    user: Subject,
    kind: string,
    parse: (name: string, value: string) => Value | undefined,
  ): Promise<ReadonlyMap<string, Value>> {
    const values = new Map<string, Value>()
    const page = { limit: SECRETS_MAX, order: 'ascending' } as const
    for (const { name, value } of await this.#deps.store.users.records(user, kind, page)) {
      const parsed = parse(name, value)
      if (parsed !== undefined) values.set(name, parsed)
    }
    return values.size > 0 ? values : EMPTY
  }
}

/**
 * Identifies the credentials that a connection to an MCP server is made with; null without any. When it changes, the
 * connection has to be made again.
 */
export function getCredentialVersion({ secrets, grantIds }: StoredRuntime, server: string): string | null {
  const secret = secrets.get(server)?.sealed ?? null
  const grantId = grantIds.get(server)
  return grantId === undefined ? secret : JSON.stringify([secret, grantId])
}

function pickFields(patch: SettingsPatch, fields: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(fields.map((field) => [field, patch[field as keyof SettingsPatch] ?? null]))
}

function versionConflict(version: number): PurserError {
  return new PurserError('version_conflict', `The settings have changed: they are at version ${version} now.`, {
    hint: 'Read them again and repeat the change.',
    details: { version },
  })
}
