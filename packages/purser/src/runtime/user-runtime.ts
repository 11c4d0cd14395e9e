import { withAbort, withSignal } from '../core/abort.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError, suggestion } from '../errors.ts'
import type { AcquireOptions, UserRuntime } from './api.ts'
import { type Authorizations, answerOf } from './oauth/authorizations.ts'
import { GRANT_KIND } from './oauth/grant.ts'
import type { RuntimePool } from './pool/runtime-pool.ts'
import type { RuntimeRepository } from './repository.ts'
import { checkCredentials, SECRET_KIND } from './secrets.ts'
import { readSession, SESSION_KIND } from './sessions.ts'
import type { Catalog } from './settings/catalog.ts'
import { resolveSettings, usualSettings } from './settings/layers.ts'
import { SETTINGS_RECORD } from './settings/user-settings.ts'
import { validatePatch } from './settings/validate-patch.ts'
import type { StoredRuntime } from './stored-runtime.ts'
import { actorOf, expectedVersionOf, policyOf, reasonOf, serverNameOf, sessionIdOf } from './validate-arguments.ts'

const SCOPE = ['session', 'override'] as const
const NO_SCOPE: AcquireOptions = {}

export interface UserRuntimeDeps {
  readonly catalogue: Catalog
  readonly fleet: RuntimePool
  readonly records: RuntimeRepository
  readonly authorizations: Authorizations
  now(): number
  readFacts(user: Subject): Promise<StoredRuntime>
  readSession(user: Subject, id: string): Promise<string | undefined>
  /** Tells the other processes that this user was evicted. */
  announceEviction(user: Subject): Promise<void>
  requireOpen(): void
}

/** The thin handle of one user: checks arguments, then hands on. */
export function createUserRuntime(house: UserRuntimeDeps, user: Subject): UserRuntime {
  const key = subjectKey(user)
  return {
    ...reading(house, user, key),
    ...writing(house, user, key),
    ...authorizing(house, user, key),
    ...using(house, user, key),
  }
}

type Reading = Pick<UserRuntime, 'settings' | 'secrets' | 'sessions'>

function reading(house: UserRuntimeDeps, user: Subject, key: string): Reading {
  const { catalogue, fleet, records } = house

  async function facts(): Promise<StoredRuntime> {
    house.requireOpen()
    return fleet.factsOf(key) ?? house.readFacts(user)
  }

  return {
    async settings(scope = {}) {
      validateOptions('settings', scope, SCOPE)
      const { session, override } = checkScope(catalogue, scope)
      const { own, incarnation } = await facts()
      if (session === undefined && override === undefined) return usualSettings(catalogue, own).settings
      const record = session === undefined ? undefined : await house.readSession(user, session)
      const { pinned } = readSession(record, { incarnation, now: house.now() }) ?? {}
      const { settings, fault } = resolveSettings(catalogue, own, { pinned, override })
      if (fault !== undefined && override !== undefined) throw fault
      return settings
    },

    async secrets(options) {
      const { secrets } = await withAbort('secrets', options, facts)
      return [...secrets.values()].map(({ name, fields, updatedAt }) => ({ name, fields, updatedAt }))
    },

    async sessions(options) {
      house.requireOpen()
      return withAbort('sessions', options, () => records.sessions(user))
    },
  }
}

type Writing = Pick<UserRuntime, 'configure' | 'setSecret' | 'startSession' | 'endSession'>

function writing(house: UserRuntimeDeps, user: Subject, key: string): Writing {
  const { catalogue, fleet, records } = house

  /** Runs a write, and makes sure that the next use sees it even if the store's own news were lost. */
  async function changing<T>(kind: string, write: () => Promise<T>): Promise<T> {
    house.requireOpen()
    try {
      return await write()
    } finally {
      fleet.invalidate(key, [kind])
      fleet.refresh(key)
    }
  }

  return {
    async configure(patch, options = {}) {
      validateOptions('configure', options, ['expectedVersion', 'actor', 'reason'])
      const told = {
        expectedVersion: expectedVersionOf(options.expectedVersion),
        actor: actorOf(options.actor),
        reason: reasonOf(options.reason),
        signal: options.signal,
      }
      const checked = validatePatch(catalogue, patch)
      return changing(SETTINGS_RECORD.kind, () => records.configure(user, checked, told))
    },

    async setSecret(name, fields, options = {}) {
      validateOptions('setSecret', options, ['actor'])
      const told = { actor: actorOf(options.actor), signal: options.signal }
      // What is no longer configured can still be removed.
      if (fields !== null || typeof name !== 'string') requireConfigured(catalogue, name)
      const checked = fields === null ? null : checkCredentials(fields)
      return changing(SECRET_KIND, () => records.setSecret(user, { name, fields: checked }, told))
    },

    async startSession(id, options) {
      const checked = sessionIdOf(id)
      const policy = policyOf(options?.policy)
      validateOptions('startSession', options, ['policy'])
      const { signal } = options
      const order = { id: checked, policy, signal }
      return withSignal(
        changing(SESSION_KIND, () => records.startSession(user, order)),
        signal,
      )
    },

    async endSession(id, options) {
      const checked = sessionIdOf(id)
      return withAbort('endSession', options, () =>
        changing(SESSION_KIND, () => records.endSession(user, checked, options?.signal)),
      )
    },
  }
}

type Authorizing = Pick<UserRuntime, 'authorizeMcp' | 'completeMcp' | 'deauthorizeMcp' | 'mcpAuthorizations'>

function authorizing({ authorizations, fleet, requireOpen }: UserRuntimeDeps, user: Subject, key: string): Authorizing {
  /** Connections that were made with another authorization go now. */
  function changed<T>(value: T): T {
    fleet.invalidate(key, [GRANT_KIND])
    fleet.refresh(key)
    return value
  }

  return {
    async authorizeMcp(name, options = {}) {
      requireOpen()
      validateOptions('authorizeMcp', options, [])
      return authorizations.authorize(user, serverNameOf(name), options.signal)
    },

    async completeMcp(name, answer, options = {}) {
      requireOpen()
      validateOptions('completeMcp', options, ['actor'])
      const order = { ...answerOf(answer), actor: actorOf(options.actor), signal: options.signal }
      return authorizations.complete(user, serverNameOf(name), order).then(changed)
    },

    async deauthorizeMcp(name, options = {}) {
      requireOpen()
      validateOptions('deauthorizeMcp', options, ['actor'])
      const { signal } = options
      return authorizations.remove(user, serverNameOf(name), { actor: actorOf(options.actor), signal }).then(changed)
    },

    async mcpAuthorizations(options) {
      requireOpen()
      return withAbort('mcpAuthorizations', options, () => authorizations.list(user))
    },
  }
}

function using(house: UserRuntimeDeps, user: Subject, key: string): Pick<UserRuntime, 'acquire' | 'evict'> {
  const { catalogue, fleet, records } = house
  return {
    async acquire(options = NO_SCOPE) {
      if (options !== NO_SCOPE) validateOptions('acquire', options, SCOPE)
      const { session, override, signal } = options
      if (session === undefined && override === undefined) return fleet.acquire(user, key, options)
      return fleet.acquire(user, key, { ...checkScope(catalogue, options), signal })
    },

    async evict(options = {}) {
      house.requireOpen()
      validateOptions('evict', options, ['actor', 'reason'])
      const told = { actor: actorOf(options.actor), reason: reasonOf(options.reason), signal: options.signal }
      const evicted = fleet.evict(key)
      await house.announceEviction(user)
      await withSignal(evicted, options.signal)
      if (told.reason !== undefined) await records.noteEviction(user, told)
    },
  }
}

function checkScope(catalogue: Catalog, { session, override }: AcquireOptions): AcquireOptions {
  return {
    session: session === undefined ? undefined : sessionIdOf(session),
    override: override === undefined ? undefined : validatePatch(catalogue, override),
  }
}

function requireConfigured({ providers, servers }: Catalog, name: unknown): void {
  if (typeof name === 'string' && (providers.has(name) || servers.has(name))) return
  const known = [...providers.keys(), ...servers.keys()]
  throw new PurserError('provider_unknown', 'A secret is for a configured provider or MCP server.', {
    hint:
      (typeof name === 'string' && suggestion(name, known)) ||
      `Configured: ${known.slice(0, 20).join(', ') || 'none'}.`,
  })
}
