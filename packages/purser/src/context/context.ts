import { DeadlineQueue } from '../core/deadline-queue.ts'
import type { Effects } from '../core/effects.ts'
import { createJitter } from '../core/jitter.ts'
import { readPage } from '../core/long-read.ts'
import type { Subject } from '../core/subject.ts'
import type { JournalPort, RecordReader } from '../journal/api.ts'
import type { ContextOptions } from '../options.ts'
import type { LastGoodStore } from '../storage/last-good-store.ts'
import type { Store } from '../storage/store.ts'
import { createActions } from './actions.ts'
import type { InternalUserContext } from './api.ts'
import type { CacheEntry } from './cache-entry.ts'
import { createSections, createUserSection, type UserSettings } from './configure-sections.ts'
import { isEnabled, type StoredConsent, setEnabled } from './consent.ts'
import { ContextHistory } from './history.ts'
import { Invalidation } from './invalidation.ts'
import { CONTEXT_LIMITS, type ContextLimits } from './limits.ts'
import { LoadScheduler, type LoadSchedulerDeps } from './load-scheduler.ts'
import { createProfile } from './profile.ts'
import { ACTION, type Action, type Actions, CONSENT, MAX_ACTIONS, PROFILE, type Profile } from './records.ts'
import { createClock } from './render/clock.ts'
import { Resolver } from './resolver.ts'
import type { Section } from './section.ts'
import { SectionLoader } from './section-loader.ts'
import { cacheKeyOf, loadKeysOf, type SectionRuntime } from './section-runtime.ts'
import { SessionCache } from './session-cache.ts'
import { createBuiltInSource } from './sources/built-in.ts'
import { createHttpSource } from './sources/http.ts'
import { UserCache } from './user-cache.ts'
import { createUserContext } from './user-context.ts'

export interface ContextDeps {
  readonly store: Pick<Store, 'users' | 'bus'>
  readonly lastGood: LastGoodStore
  readonly journal: JournalPort
  readonly effects: Effects
  readonly options: ContextOptions
  /** Zone of users without their own. */
  readonly timeZone: string
  readonly namespace: string
  readonly limits?: ContextLimits | undefined
  /** A user's own zone; null if they have none. */
  readonly timeZoneOf?: ((user: Subject) => Promise<string | null>) | undefined
}

/** The context of all users: loading, caching and rendering. */
export interface ContextModule {
  of(user: Subject): UserContextModule
  /** The user's stored data: the profile, then the actions, oldest first. */
  exportRows(user: Subject): AsyncIterable<ContextRow>
  /** Frozen sections of this session are dropped with it. */
  endSession(user: Subject, session: string): void
  /** After an erasure: drops the user's data from memory and from the store; unfinished loads cannot restore it. */
  forget(user: Subject): Promise<void>
  stats(): ContextStats
  /** Answers all waiting calls, ends all loads and connections, and waits for pending writes to the store. */
  close(): Promise<void>
}

/** What the context module provides for one user. */
export interface UserContextModule {
  readonly context: InternalUserContext
  readonly profile: Profile
  readonly actions: Actions
}

export interface ContextRow {
  readonly part: 'context'
  readonly type: 'profile' | 'action' | 'consent'
  /** ISO 8601, UTC. */
  readonly at?: string
  readonly value: unknown
}

/** What is in memory, and the loads of each source. */
export interface ContextStats {
  readonly users: number
  readonly bytes: number
  readonly sources: Readonly<Record<string, LoadScheduler<unknown>['counts']>>
}

interface ContextParts {
  readonly cache: UserCache
  readonly sessions: SessionCache
  readonly history: ContextHistory
  readonly loader: SectionLoader
  readonly resolver: Resolver
  readonly invalidation: Invalidation
  /** As configured. */
  readonly sections: readonly SectionRuntime[]
  /** With those that are never rendered. */
  readonly all: readonly SectionRuntime[]
  readonly deadlines: DeadlineQueue
  readonly timeouts: DeadlineQueue
}

function createParts(deps: ContextDeps): ContextParts {
  const { store, lastGood, journal, effects, options, namespace, timeZone, timeZoneOf, limits = CONTEXT_LIMITS } = deps
  const deadlines = new DeadlineQueue(effects, { background: false })
  const timeouts = new DeadlineQueue(effects, { background: true })
  const jitter = createJitter(effects.randomId())
  const { maxUsers } = options
  const cache = new UserCache({ maxUsers, maxBytes: limits.maxCachedBytes, maxRenderings: limits.maxRenderings })
  const { maxSessionsPerUser, maxFrozenBytes } = limits
  const sessions = new SessionCache({ maxUsers, maxSessionsPerUser, maxFrozenBytes })
  const history = new ContextHistory({ maxUsers, maxBytes: limits.maxHistoryBytes })
  const loader = new SectionLoader({
    effects,
    limits,
    lastGood,
    timeouts,
    jitter,
    incarnationOf: async (user) => (await journal.read(user)).incarnation,
    onStaleData: (section, { user, mode }, entry) =>
      cache.setSectionIfAbsent(user.id, cacheKeyOf(section, { mode }), entry),
  })
  const createRuntime = (section: Section): SectionRuntime =>
    createSectionRuntime(section, { namespace, effects, timeouts, limits, options, jitter, loader, cache })
  const sections = createSections(options, limits, {
    createBuiltIn: (section) => createBuiltInSource(store.users, section),
    createHttp: (source, section) =>
      createHttpSource(source, { ...section, limits, maxConnections: options.maxConcurrentLoads }),
  }).map(createRuntime)
  const loadSettings = async (user: Subject): Promise<UserSettings> => {
    const [ownZone = null, consent] = await Promise.all([timeZoneOf?.(user), store.users.record(user, CONSENT, '')])
    return { timeZone: ownZone, isEnabled: isEnabled(consent) }
  }
  const userSection = createRuntime(createUserSection(loadSettings, options, limits))
  const all = [...sections, userSection]
  const processId = effects.randomId()
  const invalidation = new Invalidation({
    namespace,
    processId,
    bus: store.bus,
    journal,
    lastGood,
    cache,
    sessions,
    history,
    sections,
    userSection,
  })
  const resolver = new Resolver({
    namespace,
    effects,
    limits,
    cache,
    sessions,
    history,
    deadlines,
    defaults: {
      mode: options.mode,
      budgetMs: options.budgetMs,
      maxTokens: options.maxTokens,
      clock: options.clock,
      sections,
    },
    userSection,
    timeZone,
    clock: createClock(),
  })
  return { cache, sessions, history, loader, resolver, invalidation, sections, all, deadlines, timeouts }
}

/** Connects sources, loads, cache and rendering. Does no I/O. Throws `option_invalid` and `option_unknown`. */
export function createContext(deps: ContextDeps): ContextModule {
  const { store, journal, effects, options } = deps
  const { cache, sessions, history, loader, resolver, invalidation, sections, all, deadlines, timeouts } =
    createParts(deps)
  let ordinal = 0
  const nextOrdinal = (): number => ++ordinal

  return {
    of(user) {
      const records = { journal, effects, reader: store.users }
      const consent = { journal, onWrite: () => invalidation.onWrite(user.id, CONSENT) }
      return {
        context: createUserContext(user, {
          cache,
          sessions,
          resolver,
          invalidation,
          sections,
          defaultMode: options.mode,
          setEnabled: (enabled, consentOptions) => setEnabled(user, { ...consentOptions, enabled }, consent),
        }),
        profile: createProfile(user, { ...records, onWrite: () => invalidation.onWrite(user.id, PROFILE) }),
        actions: createActions(user, {
          ...records,
          nextOrdinal,
          onWrite: () => invalidation.onWrite(user.id, ACTION),
        }),
      }
    },
    exportRows: (user) => exportRows(user, store.users),
    endSession(user, session) {
      sessions.endSession(user.id, session)
      cache.deleteContexts(user.id)
    },
    async forget(user) {
      for (const { loads } of all) for (const key of loadKeysOf(user.id)) loads.resetBackoff(key)
      sessions.forget(user.id)
      history.forget(user.id)
      await invalidation.invalidate(user, undefined)
    },
    stats: () => ({
      users: cache.users,
      bytes: cache.bytes,
      sources: Object.fromEntries(sections.map(({ name, loads }) => [name, loads.counts])),
    }),
    async close() {
      invalidation.close()
      for (const { loads } of all) loads.close()
      await loader.flush()
      await Promise.all(sections.map(({ source }) => source.close()))
      deadlines.clear()
      timeouts.clear()
      cache.clear()
      sessions.clear()
      history.clear()
    },
  }
}

interface SectionRuntimeDeps extends Omit<LoadSchedulerDeps<CacheEntry>, 'source' | 'run' | 'onLoaded'> {
  readonly loader: SectionLoader
  readonly cache: UserCache
}

function createSectionRuntime(section: Section, { loader, cache, ...deps }: SectionRuntimeDeps): SectionRuntime {
  const runtime: SectionRuntime = {
    ...section,
    isModeDependent: false,
    epoch: 0,
    loads: new LoadScheduler({
      ...deps,
      source: section.name,
      run: (load) => loader.load(runtime, load),
      onLoaded: ({ user, mode, query }, entry) =>
        cache.setSection(user.id, cacheKeyOf(runtime, { mode, query }), entry),
    }),
  }
  return runtime
}

async function* exportRows(user: Subject, reader: RecordReader): AsyncGenerator<ContextRow> {
  const profile = await reader.record(user, PROFILE, '')
  if (profile !== undefined) yield { part: 'context', type: 'profile', value: JSON.parse(profile) }
  const consent = await reader.record(user, CONSENT, '')
  if (consent !== undefined) {
    const value = JSON.parse(consent) as StoredConsent
    yield { part: 'context', type: 'consent', at: value.at, value }
  }
  const page = { limit: MAX_ACTIONS, order: 'ascending' } as const
  const actions = await readPage(() => reader.records(user, ACTION, page))
  for (const { value } of actions) {
    const action = JSON.parse(value) as Action
    yield { part: 'context', type: 'action', at: action.at, value: action }
  }
}
