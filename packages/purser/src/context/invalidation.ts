import type { Subject } from '../core/subject.ts'
import type { BusMessage, Store } from '../storage/store.ts'
import { ACTION, PROFILE } from './records.ts'
import { isCacheKeyOf, type SectionRuntime } from './section-runtime.ts'
import type { UserCache } from './user-cache.ts'

export interface InvalidationDeps {
  readonly namespace: string
  /** Tells this process from the others that share the store. */
  readonly self: string
  readonly store: Pick<Store, 'bus' | 'lastGood'>
  readonly holdings: UserCache
  readonly lanes: readonly SectionRuntime[]
  readonly zoneLane: SectionRuntime | undefined
}

/** Forgets what has become old: by order, after writes, and when other processes say so. */
export class Invalidation {
  readonly #house: InvalidationDeps
  readonly #all: readonly SectionRuntime[]
  readonly #stopListening: () => void

  constructor(house: InvalidationDeps) {
    this.#house = house
    this.#all = house.zoneLane === undefined ? house.lanes : [...house.lanes, house.zoneLane]
    this.#stopListening = house.store.bus.subscribe((message) => this.#hear(message))
  }

  /**
   * Dropped here, then in the store, then here again, since a load that began in between may have found the old data
   * in the store; then everywhere else, also when the store failed.
   */
  async invalidate(user: Subject, section: string | undefined): Promise<void> {
    const { namespace, self, store } = this.#house
    const concerned = section === undefined ? this.#all : this.#named(section)
    this.#drop(user.id, concerned)
    try {
      if (concerned.some((lane) => !lane.section.supply.builtIn)) await store.lastGood.drop(user, section)
    } finally {
      this.#drop(user.id, concerned)
      await store.bus.publish({ topic: 'context', namespace, user: user.id, detail: `${self} ${section ?? ''}` })
    }
  }

  /** Profile or actions in Purser's own store were written. Other processes hear it from the commit. */
  written(userId: string, kind: typeof PROFILE | typeof ACTION): void {
    this.#drop(userId, this.#storedAs(kind))
  }

  close(): void {
    this.#stopListening()
  }

  #hear(message: BusMessage | 'gap'): void {
    if (message === 'gap') this.#dropEverything()
    else if (message.namespace === this.#house.namespace) {
      if (message.user !== undefined) this.#drop(message.user, this.#concernedBy(message))
      else if (message.topic === 'user') this.#expireOwnData()
      else if (message.topic === 'context') this.#dropEverything()
    }
  }

  /** Which sections a message makes old. Events may have changed the user's zone; a commit names what it wrote. */
  #concernedBy({ topic, detail }: BusMessage): readonly SectionRuntime[] {
    const { self, zoneLane } = this.#house
    if (topic === 'answers') return []
    if (topic === 'events') return zoneLane === undefined ? [] : [zoneLane]
    if (topic === 'context') {
      const [sender, section] = (detail ?? '').split(' ')
      if (sender === self) return []
      return section ? this.#named(section) : this.#all
    }
    if (detail === undefined) return this.#all
    const kinds = detail.split(' ')
    return ([PROFILE, ACTION] as const).flatMap((kind) => (kinds.includes(kind) ? this.#storedAs(kind) : []))
  }

  #named(section: string): readonly SectionRuntime[] {
    return this.#house.lanes.filter((lane) => lane.section.name === section)
  }

  #storedAs(kind: typeof PROFILE | typeof ACTION): readonly SectionRuntime[] {
    return this.#named(kind === PROFILE ? 'profile' : 'actions').filter((lane) => lane.section.supply.builtIn)
  }

  /** Here and now: what is held goes, and what is under way reaches only those who wait for it already. */
  #drop(userId: string, concerned: readonly SectionRuntime[]): void {
    if (concerned.length === 0) return
    for (const { flights } of concerned) flights.outdate(userId)
    this.#house.holdings.drop(userId, (piece) => concerned.some(({ section }) => isCacheKeyOf(section.name, piece)))
  }

  /**
   * Another process has written something of somebody in Purser's store. What comes from there must be read again;
   * this happens often and concerns all users, so nothing is searched: data of the epoch before no longer counts.
   */
  #expireOwnData(): void {
    for (const lane of this.#all) {
      if (!lane.section.supply.builtIn) continue
      lane.flights.outdate(undefined)
      lane.epoch += 1
    }
    this.#house.holdings.epoch += 1
  }

  #dropEverything(): void {
    for (const { flights } of this.#all) flights.outdate(undefined)
    this.#house.holdings.clear()
  }
}
