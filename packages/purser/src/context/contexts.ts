import type { Effects } from '../effects.ts'
import type { Subject } from '../identity.ts'
import type { JournalPort } from '../journal/port.ts'
import type { ContextOptions } from '../options.ts'
import type { BusMessage, Store } from '../store.ts'
import { createActions } from './actions.ts'
import { modeOf, onlyKnown, refuse } from './arguments.ts'
import { createChance } from './chance.ts'
import { DeadlineQueue } from './deadline.ts'
import { type ContextRow, exportContext } from './export.ts'
import { Flights } from './flights.ts'
import type { Held } from './held.ts'
import { Holdings } from './holdings.ts'
import { isPieceOf, type Lane, pieceOf } from './lane.ts'
import { CONTEXT_LIMITS, type ContextLimits } from './limits.ts'
import { createLoading } from './loading.ts'
import { sectionsOf } from './options.ts'
import type { UserContext } from './port.ts'
import { createProfile } from './profile.ts'
import type { Actions, Profile } from './records.ts'
import { createClockTexts } from './render/clock.ts'
import { Resolver } from './resolver.ts'
import type { Section } from './section.ts'
import { builtInSupply } from './sources/built-in.ts'
import { httpSupply } from './sources/http.ts'
import { zoneSection } from './zone-section.ts'

export interface ContextHouse {
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

/** What the model is told about each user: sources, flights, memory and rendering, joined. Makes no I/O by itself. */
export function createContexts(house: ContextHouse): Contexts {
  const { store, journal, effects, options, namespace, timeZone, timeZoneOf } = house
  const limits = house.limits ?? CONTEXT_LIMITS
  const random = createChance(effects.randomId())
  const self = effects.randomId()
  const deadlines = new DeadlineQueue(effects, { background: false })
  const ages = new DeadlineQueue(effects, { background: true })
  const holdings = new Holdings({
    maxUsers: options.maxUsers,
    maxBytes: limits.maxCachedBytes,
    maxViews: limits.maxViews,
  })
  const loading = createLoading({
    effects,
    limits,
    lastGood: store.lastGood,
    ages,
    random,
    incarnationOf: async (user) => (await journal.read(user)).incarnation,
    found(lane, { user, mode }, held) {
      const piece = pieceOf(lane, mode)
      if (holdings.get(user.id)?.pieces.has(piece) !== true) holdings.fill(user.id, piece, held)
    },
  })

  function laneOf(section: Section): Lane {
    const lane: Lane = {
      section,
      modal: false,
      flights: new Flights<Held>({
        namespace,
        name: section.name,
        effects,
        ages,
        limits,
        random,
        maxFlights: options.maxFlights,
        maxAbandoned: options.maxAbandoned,
        maxUsers: options.maxUsers,
        patienceMs: options.budgetMs,
        overdueMs: Math.max(options.budgetMs, limits.leastHangMs),
        load: (flight) => loading.load(lane, flight),
        store: ({ user, mode }, held) => holdings.fill(user.id, pieceOf(lane, mode), held),
      }),
    }
    return lane
  }

  const sections = sectionsOf(options, limits, {
    builtIn: (section) => builtInSupply(store.users, section),
    http: (source, section) => httpSupply(source, { section, limits, connections: options.maxFlights }),
  })
  const lanes = sections.map(laneOf)
  const zoneLane = timeZoneOf && laneOf(zoneSection(timeZoneOf, options, limits))
  const allLanes = zoneLane === undefined ? lanes : [...lanes, zoneLane]
  const resolver = new Resolver({
    namespace,
    effects,
    limits,
    holdings,
    deadlines,
    defaults: { budgetMs: options.budgetMs, clock: options.clock, lanes },
    zoneLane,
    timeZone,
    clockText: createClockTexts(),
  })

  /** Here and now: what is held goes, and what is under way reaches only those who wait for it already. */
  function drop(userId: string, concerned: readonly Lane[]): void {
    for (const { flights } of concerned) flights.outdate(userId)
    holdings.drop(userId, (piece) => concerned.some(({ section }) => isPieceOf(section.name, piece)))
  }

  function dropEverything(): void {
    for (const { flights } of allLanes) flights.outdate(undefined)
    holdings.clear()
  }

  /**
   * Dropped here, then in the store, then here again, since a load that began in between may have found the old data
   * in the store; then everywhere else, also when the store failed.
   */
  async function invalidate(user: Subject, section: string | undefined): Promise<void> {
    const concerned = section === undefined ? allLanes : lanes.filter((lane) => lane.section.name === section)
    drop(user.id, concerned)
    try {
      if (concerned.some((lane) => !lane.section.supply.builtIn)) await store.lastGood.drop(user, section)
    } finally {
      drop(user.id, concerned)
      await store.bus.publish({ topic: 'context', namespace, user: user.id, detail: `${self} ${section ?? ''}` })
    }
  }

  const named = (name: string): readonly Lane[] =>
    lanes.filter((lane) => lane.section.name === name && lane.section.supply.builtIn)
  const stored = { profile: named('profile'), action: named('actions') }

  /** Which sections a message makes old. Events may have changed the user's zone; a commit names what it wrote. */
  function concernedBy({ topic, detail }: BusMessage): readonly Lane[] {
    if (topic === 'answers') return []
    if (topic === 'events') return zoneLane === undefined ? [] : [zoneLane]
    if (topic === 'context') {
      const [sender, section] = (detail ?? '').split(' ')
      if (sender === self) return []
      return section ? lanes.filter((lane) => lane.section.name === section) : allLanes
    }
    if (detail === undefined) return allLanes
    const kinds = detail.split(' ')
    return (['profile', 'action'] as const).flatMap((kind) => (kinds.includes(kind) ? stored[kind] : []))
  }

  const stopListening = store.bus.subscribe((message) => {
    if (message === 'gap') return dropEverything()
    if (message.namespace !== namespace) return
    const concerned = concernedBy(message)
    if (concerned.length === 0) return
    if (message.user !== undefined) drop(message.user, concerned)
    else if (message.topic !== 'events') dropEverything()
  })

  const sectionNames = sections.map((section) => section.name)
  return {
    of(user) {
      const records = { journal, reader: store.users, effects }
      return {
        context: {
          resolve: (given) => resolver.resolve(user, given),
          peek(given) {
            if (given === undefined) return resolver.peek(user, 'reuse')
            onlyKnown(given, ['mode'], 'the options of peek')
            return resolver.peek(user, modeOf(given.mode))
          },
          async invalidate(given = {}) {
            onlyKnown(given, ['section'], 'the options of invalidate')
            const { section } = given
            if (section !== undefined && !sectionNames.includes(section))
              refuse(
                `There is no section '${String(section).slice(0, 64)}'.`,
                'section',
                `Known here: ${sectionNames.join(', ')}.`,
              )
            await invalidate(user, section)
          },
        },
        profile: createProfile(user, { ...records, changed: ({ id }) => drop(id, stored.profile) }),
        actions: createActions(user, { ...records, changed: ({ id }) => drop(id, stored.action) }),
        exportRows: () => exportContext(user, store.users),
      }
    },

    async forget(user) {
      for (const { flights } of allLanes) flights.forget(user.id)
      await invalidate(user, undefined)
    },

    stats: () => ({
      users: holdings.users,
      bytes: holdings.bytes,
      sources: Object.fromEntries(lanes.map(({ section, flights }) => [section.name, flights.counts])),
    }),

    async close() {
      stopListening()
      for (const { flights } of allLanes) flights.close()
      await loading.settled()
      await Promise.all(sections.map((section) => section.supply.close()))
      deadlines.clear()
      ages.clear()
      holdings.clear()
    },
  }
}
