import { withAbort, withSignal } from '../core/abort.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import {
  parseExpectedVersion,
  parseOptionalActor,
  parseOptionalReason,
  throwInvalid,
  validateOptions,
} from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import { credentialFieldsOf } from '../options/provider-config.ts'
import type { AcquireOptions, InternalUserRuntime, UserRuntime } from './api.ts'
import { type Authorizations, parseCallback } from './oauth/authorizations.ts'
import { GRANT_KIND } from './oauth/grant.ts'
import type { RuntimePool } from './pool/runtime-pool.ts'
import type { RuntimeRepository, StoredRuntime } from './repository.ts'
import { parseCredentials, SECRET_KIND } from './secrets.ts'
import type { SessionRepository } from './session-repository.ts'
import { parseSessionId, parseSessionPolicy, SESSION_KIND } from './sessions.ts'
import { type Catalog, catalogOf, suggestName } from './settings/catalog.ts'
import { resolveBaseSettings, resolveSettings } from './settings/resolve-settings.ts'
import { SETTINGS_RECORD } from './settings/user-settings.ts'
import { validatePatch } from './settings/validate-patch.ts'

const LAYER_OPTIONS = ['session', 'override'] as const
const NO_OPTIONS: AcquireOptions = {}

export interface UserRuntimeDeps {
  readonly catalog: Catalog
  readonly pool: RuntimePool
  readonly repository: RuntimeRepository
  readonly sessions: SessionRepository
  readonly authorizations: Authorizations
  /** Called when a session has ended by `endSession`. */
  onSessionEnd(user: Subject, session: string): void
  /** Notifies the other processes that this user was evicted. */
  publishEviction(user: Subject): Promise<void>
}

/** The handle of one user: validates arguments and delegates. */
export function createUserRuntime(deps: UserRuntimeDeps, user: Subject): InternalUserRuntime {
  const key = subjectKey(user)
  return {
    ...createReads(deps, user, key),
    ...createWrites(deps, user, key),
    ...createAuthorizationCalls(deps, user, key),
    ...createLeaseCalls(deps, user, key),
  }
}

type Reads = Pick<InternalUserRuntime, 'peekSettings' | 'settings' | 'secrets' | 'sessions'>

function createReads({ catalog, pool, repository, sessions }: UserRuntimeDeps, user: Subject, key: string): Reads {
  async function readStored(): Promise<StoredRuntime> {
    pool.requireOpen()
    const known = pool.peek(key)
    if (known !== undefined) return known
    try {
      return await repository.read(user)
    } catch (error) {
      const stale = pool.peekStale(key)
      if (stale === undefined || !PurserError.is(error, 'store_unavailable')) throw error
      return stale
    }
  }

  return {
    peekSettings() {
      pool.requireOpen()
      const stored = pool.peek(key)
      return stored && resolveBaseSettings(catalogOf(catalog, stored.plan), stored.userSettings).settings
    },

    async settings(options = {}) {
      validateOptions('settings', options, LAYER_OPTIONS)
      const { session: id, override } = parseLayers(catalog, options)
      const { userSettings, incarnation, plan } = await readStored()
      const ofPlan = catalogOf(catalog, plan)
      if (id === undefined && override === undefined) return resolveBaseSettings(ofPlan, userSettings).settings
      const session = id === undefined ? undefined : await sessions.read(user, id, incarnation)
      const { settings, error } = resolveSettings(ofPlan, userSettings, { pinned: session?.pinned, override })
      if (error !== undefined && override !== undefined) throw error
      return settings
    },

    async secrets(options) {
      const { secrets } = await withAbort('secrets', options, readStored)
      return [...secrets.values()].map(({ name, fields, updatedAt }) => ({ name, fields, updatedAt }))
    },

    async sessions(options) {
      pool.requireOpen()
      return withAbort('sessions', options, () => sessions.list(user))
    },
  }
}

type Writes = Pick<UserRuntime, 'configure' | 'setSecret' | 'startSession' | 'endSession'>

function createWrites(
  { catalog, pool, repository, sessions, onSessionEnd }: UserRuntimeDeps,
  user: Subject,
  key: string,
): Writes {
  /** Reloads the live runtime after a write, also a failed one: its outcome may be unknown. */
  async function write<T>(kind: string, run: () => Promise<T>): Promise<T> {
    pool.requireOpen()
    try {
      return await run()
    } finally {
      pool.reload(key, kind)
    }
  }

  return {
    async configure(patch, options = {}) {
      validateOptions('configure', options, ['expectedVersion', 'actor', 'reason'])
      const expectedVersion = parseExpectedVersion(options.expectedVersion)
      const actor = parseOptionalActor(options.actor)
      const reason = parseOptionalReason(options.reason)
      const request = { patch: validatePatch(catalog, patch), expectedVersion }
      const { signal } = options
      return write(SETTINGS_RECORD.kind, () => repository.configure(user, request, { actor, reason, signal }))
    },

    async setSecret(name, fields, options = {}) {
      validateOptions('setSecret', options, ['actor'])
      const actor = parseOptionalActor(options.actor)
      // The secret of a provider or server that is no longer configured can still be removed.
      if (fields !== null || typeof name !== 'string') requireConfigured(catalog, name)
      const request = { name, fields: fields === null ? null : parseCredentials(fields, knownFields(catalog, name)) }
      const { signal } = options
      return write(SECRET_KIND, () => repository.setSecret(user, request, { actor, signal }))
    },

    async startSession(id, options) {
      const [sessionId, policy] = [parseSessionId(id), parseSessionPolicy(options?.policy)]
      validateOptions('startSession', options, ['policy', 'actor'])
      const request = { id: sessionId, policy, actor: parseOptionalActor(options.actor), signal: options.signal }
      return withSignal(
        write(SESSION_KIND, () => sessions.start(user, request)),
        options.signal,
      )
    },

    async endSession(id, options = {}) {
      const sessionId = parseSessionId(id)
      validateOptions('endSession', options, ['actor'])
      const { signal } = options
      const by = { actor: parseOptionalActor(options.actor), signal }
      return withSignal(
        write(SESSION_KIND, () => sessions.end(user, sessionId, by)).finally(() => onSessionEnd(user, sessionId)),
        signal,
      )
    },
  }
}

type AuthorizationCalls = Pick<UserRuntime, 'authorizeMcp' | 'completeMcp' | 'deauthorizeMcp' | 'mcpAuthorizations'>

function createAuthorizationCalls(
  { authorizations, pool }: UserRuntimeDeps,
  user: Subject,
  key: string,
): AuthorizationCalls {
  /** Retires the connections that were made with the authorization before. */
  async function reloadAfter<T>(write: Promise<T>): Promise<T> {
    const value = await write
    pool.reload(key, GRANT_KIND)
    return value
  }

  return {
    async authorizeMcp(name, options = {}) {
      pool.requireOpen()
      validateOptions('authorizeMcp', options, [])
      return authorizations.authorize({ user, name: parseServerName(name) }, options.signal)
    },

    async completeMcp(name, callback, options = {}) {
      pool.requireOpen()
      validateOptions('completeMcp', options, ['actor'])
      const parsed = parseCallback(callback)
      const { signal } = options
      const write = { actor: parseOptionalActor(options.actor), signal }
      return reloadAfter(authorizations.complete({ user, name: parseServerName(name) }, parsed, write))
    },

    async deauthorizeMcp(name, options = {}) {
      pool.requireOpen()
      validateOptions('deauthorizeMcp', options, ['actor'])
      const { signal } = options
      const write = { actor: parseOptionalActor(options.actor), signal }
      return reloadAfter(authorizations.remove({ user, name: parseServerName(name) }, write))
    },

    async mcpAuthorizations(options) {
      pool.requireOpen()
      return withAbort('mcpAuthorizations', options, () => authorizations.list(user))
    },
  }
}

type LeaseCalls = Pick<InternalUserRuntime, 'acquireWarm' | 'acquire' | 'evict'>

function createLeaseCalls(deps: UserRuntimeDeps, user: Subject, key: string): LeaseCalls {
  const { catalog, pool, repository } = deps
  return {
    acquireWarm: () => pool.acquireWarm(key),

    async acquire(options = NO_OPTIONS) {
      if (options !== NO_OPTIONS) validateOptions('acquire', options, LAYER_OPTIONS)
      const { session, override, signal } = options
      if (session === undefined && override === undefined) return pool.acquire(user, key, options)
      return pool.acquire(user, key, { ...parseLayers(catalog, options), signal })
    },

    async evict(options = {}) {
      pool.requireOpen()
      validateOptions('evict', options, ['actor', 'reason'])
      const actor = parseOptionalActor(options.actor)
      const reason = parseOptionalReason(options.reason)
      const { signal } = options
      const evicted = pool.evict(key)
      await deps.publishEviction(user)
      await withSignal(evicted, signal)
      if (reason !== undefined || options.actor !== undefined)
        await repository.logEviction(user, { actor, reason, signal })
    },
  }
}

function parseLayers(catalog: Catalog, { session, override }: AcquireOptions): AcquireOptions {
  return {
    session: session === undefined ? undefined : parseSessionId(session),
    override: override === undefined ? undefined : validatePatch(catalog, override),
  }
}

function parseServerName(name: unknown): string {
  if (typeof name === 'string') return name
  return throwInvalid('The name of an MCP server must be text.', {
    name: 'name',
    hint: 'Pass a name from the option mcpServers.',
  })
}

/** The fields of a secret that are known beforehand: of a provider that is one of the kinds, and no MCP server. */
function knownFields({ providers, mcpServers }: Catalog, name: string): readonly string[] {
  const config = providers.get(name)
  return typeof config !== 'object' || mcpServers.has(name) ? [] : credentialFieldsOf(config.kind)
}

function requireConfigured({ providers, mcpServers }: Catalog, name: unknown): void {
  if (typeof name === 'string' && (providers.has(name) || mcpServers.has(name))) return
  throw new PurserError('provider_unknown', 'A secret must be for a configured provider or MCP server.', {
    hint: suggestName(name, [...providers.keys(), ...mcpServers.keys()]),
  })
}
