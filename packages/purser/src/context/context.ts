import { withSignal } from '../core/abort.ts'
import { DeadlineQueue } from '../core/deadline-queue.ts'
import type { Effects } from '../core/effects.ts'
import { createJitter } from '../core/jitter.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import type { JournalPort } from '../journal/api.ts'
import type { ContextOptions } from '../options.ts'
import type { Store } from '../storage/store.ts'
import { createActions } from './actions.ts'
import type { Mode, ResolvedContext, UserContext } from './api.ts'
import type { CacheEntry } from './cache-entry.ts'
import { sectionsOf } from './configure-sections.ts'
import { type ContextRow, exportContext } from './export.ts'
import { Invalidation } from './invalidation.ts'
import { CONTEXT_LIMITS, type ContextLimits } from './limits.ts'
import { LoadScheduler } from './load-scheduler.ts'
import { createProfile } from './profile.ts'
import { ACTION, type Actions, PROFILE, type Profile } from './records.ts'
import { createClockTexts } from './render/clock.ts'
import { Resolver } from './resolver.ts'
import type { Section } from './section.ts'
import { SectionLoader } from './section-loader.ts'
import { cacheKeyOf, type SectionRuntime } from './section-runtime.ts'
import { builtInSource } from './sources/built-in.ts'
import { httpSource } from './sources/http.ts'
import { UserCache, type UserEntry } from './user-cache.ts'
import { modeOf, onlyKnown, refuse } from './validate-arguments.ts'
import { zoneSection } from './zone-section.ts'

export interface ContextDeps {
  readonly store: Pick<Store, 'users' | 'bus' | 'lastGood'>
  readonly journal: JournalPort
  readonly effects: Effects
  readonly options: ContextOptions
  /** The zone of users who have none of their own. */
  readonly timeZone: string
  readonly namespace: string
  readonly limits?: ContextLimits | undefined
  /** A user's own zone; null when they have none. */
  readonly timeZoneOf?: ((user: Subject) => Promise<string | null>) | undefined
}

export interface Contexts {
  of(user: Subject): UserContexts
  /** After an erasure: nothing of the user is kept here, nor in the store, nor told by loads under way. */
  forget(user: Subject): Promise<void>
  /** What is in memory and under way, per source. */
  stats(): ContextStats
  /** Answers everybody who waits, ends all loads and connections, and waits for what is on its way to the store. */
  close(): Promise<void>
}

export interface UserContexts {
  readonly context: UserContext
  readonly profile: Profile
  readonly actions: Actions
  exportRows(): AsyncIterable<ContextRow>
}

export interface ContextStats {
  readonly users: number
  readonly bytes: number
  readonly sources: Readonly<
    Record<string, { readonly live: number; readonly abandoned: number; readonly queued: number }>
  >
}

/** What the model is told about each user: sources, flights, memory and rendering, joined. Does no I/O by itself. */
export function createContexts(house: ContextDeps): Contexts {
  return new ContextRooms(house)
}

class ContextRooms implements Contexts {
  readonly #house: ContextDeps
  readonly #limits: ContextLimits
  readonly #deadlines: DeadlineQueue
  readonly #ages: DeadlineQueue
  readonly #random: () => number
  readonly #ordinal: () => number
  readonly #holdings: UserCache
  readonly #loading: SectionLoader
  readonly #lanes: readonly SectionRuntime[]
  readonly #zoneLane: SectionRuntime | undefined
  readonly #invalidation: Invalidation
  readonly #resolver: Resolver

  constructor(house: ContextDeps) {
    const { store, journal, effects, options, namespace, timeZone, timeZoneOf } = house
    const limits = house.limits ?? CONTEXT_LIMITS
    this.#house = house
    this.#limits = limits
    this.#random = createJitter(effects.randomId())
    let recorded = 0
    this.#ordinal = () => ++recorded
    this.#deadlines = new DeadlineQueue(effects, { background: false })
    this.#ages = new DeadlineQueue(effects, { background: true })
    this.#holdings = new UserCache({
      maxUsers: options.maxUsers,
      maxBytes: limits.maxCachedBytes,
      maxViews: limits.maxViews,
    })
    this.#loading = new SectionLoader({
      effects,
      limits,
      lastGood: store.lastGood,
      ages: this.#ages,
      random: this.#random,
      incarnationOf: async (user) => (await journal.read(user)).incarnation,
      found: (lane, { user, mode }, held) => this.#holdings.fillIfAbsent(user.id, cacheKeyOf(lane, mode), held),
    })
    const sections = sectionsOf(options, limits, {
      builtIn: (section) => builtInSource(store.users, section),
      http: (source, section) => httpSource(source, { section, limits, connections: options.maxFlights }),
    })
    this.#lanes = sections.map((section) => this.#laneOf(section))
    this.#zoneLane = timeZoneOf && this.#laneOf(zoneSection(timeZoneOf, options, limits))
    const joined = { namespace, holdings: this.#holdings, lanes: this.#lanes, zoneLane: this.#zoneLane }
    this.#invalidation = new Invalidation({ ...joined, store, self: effects.randomId() })
    this.#resolver = new Resolver({
      ...joined,
      effects,
      limits,
      deadlines: this.#deadlines,
      defaults: { budgetMs: options.budgetMs, clock: options.clock, lanes: this.#lanes },
      timeZone,
      clockText: createClockTexts(),
    })
  }

  of(user: Subject): UserContexts {
    const { journal, effects, store } = this.#house
    const records = { journal, effects, reader: store.users }
    const written = (kind: typeof PROFILE | typeof ACTION) => () => this.#invalidation.written(user.id, kind)
    return {
      context: this.#contextOf(user),
      profile: createProfile(user, { ...records, changed: written(PROFILE) }),
      actions: createActions(user, { ...records, ordinal: this.#ordinal, changed: written(ACTION) }),
      exportRows: () => exportContext(user, store.users),
    }
  }

  async forget(user: Subject): Promise<void> {
    for (const { flights } of this.#allLanes()) flights.forget(user.id)
    await this.#invalidation.invalidate(user, undefined)
  }

  stats(): ContextStats {
    return {
      users: this.#holdings.users,
      bytes: this.#holdings.bytes,
      sources: Object.fromEntries(this.#lanes.map(({ section, flights }) => [section.name, flights.counts])),
    }
  }

  async close(): Promise<void> {
    this.#invalidation.close()
    for (const { flights } of this.#allLanes()) flights.close()
    await this.#loading.settled()
    await Promise.all(this.#lanes.map(({ section }) => section.supply.close()))
    this.#deadlines.clear()
    this.#ages.clear()
    this.#holdings.clear()
  }

  #contextOf(user: Subject): UserContext {
    let seen: UserEntry | undefined
    const look = (mode: Mode): ResolvedContext | undefined => {
      if (!seen?.isHeld) seen = this.#holdings.look(user.id)
      return seen && this.#resolver.peek(user, mode, seen)
    }
    return {
      resolve: (options) => this.#resolver.resolve(user, options),
      peek: (options) => {
        if (options === undefined) return look('reuse')
        onlyKnown(options, ['mode'], 'the options of peek')
        return look(modeOf(options.mode))
      },
      invalidate: async (options = {}) => {
        validateOptions('invalidate', options, ['section'])
        const { section, signal } = options
        const names = this.#lanes.map((lane) => lane.section.name)
        if (section !== undefined && !names.includes(section))
          refuse(
            `There is no section '${String(section).slice(0, 64)}'.`,
            'section',
            `Known here: ${names.join(', ')}.`,
          )
        await withSignal(this.#invalidation.invalidate(user, section), signal)
      },
    }
  }

  #laneOf(section: Section): SectionRuntime {
    const { namespace, effects, options } = this.#house
    const lane: SectionRuntime = {
      section,
      modal: false,
      epoch: 0,
      flights: new LoadScheduler<CacheEntry>({
        namespace,
        name: section.name,
        effects,
        ages: this.#ages,
        limits: this.#limits,
        random: this.#random,
        maxFlights: options.maxFlights,
        maxAbandoned: options.maxAbandoned,
        maxUsers: options.maxUsers,
        patienceMs: options.budgetMs,
        overdueMs: Math.max(options.budgetMs, this.#limits.leastHangMs),
        load: (flight) => this.#loading.load(lane, flight),
        store: ({ user, mode }, held) => this.#holdings.fill(user.id, cacheKeyOf(lane, mode), held),
      }),
    }
    return lane
  }

  #allLanes(): readonly SectionRuntime[] {
    return this.#zoneLane === undefined ? this.#lanes : [...this.#lanes, this.#zoneLane]
  }
}
