import type { Subject } from '../core/subject.ts'
import type { Journal } from '../journal/api.ts'
import type { UserData } from '../journal/event.ts'
import type { LastGoodStore } from '../storage/last-good-store.ts'
import type { Bus, BusMessage } from '../storage/store.ts'
import type { ContextHistory } from './history.ts'
import { ACTION, CONSENT, PROFILE } from './records.ts'
import { isCacheKeyOf, type SectionRuntime } from './section-runtime.ts'
import type { SessionCache } from './session-cache.ts'
import type { UserCache } from './user-cache.ts'

/** Kinds of records that the context is made of. */
type StoredKind = typeof PROFILE | typeof ACTION | typeof CONSENT
const STORED_KINDS: readonly StoredKind[] = [PROFILE, ACTION, CONSENT]

export interface InvalidationDeps {
  readonly namespace: string
  /** Identifies this process among those that share the store. */
  readonly processId: string
  readonly bus: Bus
  readonly journal: Pick<Journal<UserData>, 'onErased'>
  readonly lastGood: LastGoodStore
  readonly cache: UserCache
  readonly sessions: SessionCache
  readonly history: ContextHistory
  /** In the configured order. */
  readonly sections: readonly SectionRuntime[]
  /** Settings of the users, which are never rendered. */
  readonly userSection: SectionRuntime
}

const NO_SECTIONS: readonly SectionRuntime[] = []

/** Removes outdated data from the cache: on request, after writes, and on messages of other processes. */
export class Invalidation {
  readonly #deps: InvalidationDeps
  readonly #all: readonly SectionRuntime[]
  readonly #unsubscribe: () => void
  readonly #unfollow: () => void

  constructor(deps: InvalidationDeps) {
    const { sections, userSection, bus, journal } = deps
    this.#deps = deps
    this.#all = [...sections, userSection]
    this.#unsubscribe = bus.subscribe((message) => this.#onMessage(message))
    this.#unfollow = journal.onErased((user) => {
      if (user.namespace === deps.namespace) this.#forget(user.id)
    })
  }

  /**
   * Removes data here, then in the store, then here again, because a load that started in between may have found the
   * old data in the store; then in all other processes, even if the store has failed.
   */
  async invalidate(user: Subject, section: string | undefined): Promise<void> {
    const { namespace, processId, bus, lastGood } = this.#deps
    const affected = section === undefined ? this.#all : this.#sectionsNamed(section)
    this.#removeFrozen(user.id, affected)
    try {
      if (affected.some(({ source }) => !source.isBuiltIn)) await lastGood.drop(user, section)
    } finally {
      this.#removeFrozen(user.id, affected)
      await bus.publish({ topic: 'context', namespace, user: user.id, detail: `${processId} ${section ?? ''}` })
    }
  }

  /** After a write to Purser's own store. Other processes learn of it from the commit. */
  onWrite(userId: string, kind: StoredKind): void {
    this.#remove(userId, this.#builtInSections(kind))
  }

  close(): void {
    this.#unsubscribe()
    this.#unfollow()
  }

  #onMessage(message: BusMessage | 'gap'): void {
    if (message === 'gap') this.#removeAll()
    else if (message.namespace === this.#deps.namespace) {
      if (message.user !== undefined) {
        const affected = this.#sectionsAffectedBy(message)
        // Writes leave frozen sections as they are; an invalidation does not.
        if (message.topic === 'context') this.#removeFrozen(message.user, affected)
        else this.#remove(message.user, affected)
      } else if (message.topic === 'user') this.#startEpoch()
      else if (message.topic === 'context') this.#removeAll()
    }
  }

  /** Events may have changed the user's zone; a commit lists the kinds of records it has written. */
  #sectionsAffectedBy({ topic, detail }: BusMessage): readonly SectionRuntime[] {
    const { processId, userSection } = this.#deps
    // Nearly all commits write no records.
    if (topic === 'answers' || (topic === 'user' && detail === '')) return NO_SECTIONS
    if (topic === 'events') return [userSection]
    if (topic === 'context') {
      const [sender, section] = (detail ?? '').split(' ')
      if (sender === processId) return []
      return section ? this.#sectionsNamed(section) : this.#all
    }
    if (detail === undefined) return this.#all
    const kinds = detail.split(' ')
    return STORED_KINDS.flatMap((kind) => (kinds.includes(kind) ? this.#builtInSections(kind) : []))
  }

  #sectionsNamed(name: string): readonly SectionRuntime[] {
    return this.#deps.sections.filter((section) => section.name === name)
  }

  /** The section with records of this kind, unless the application has configured another source. */
  #builtInSections(kind: StoredKind): readonly SectionRuntime[] {
    if (kind === CONSENT) return [this.#deps.userSection]
    return this.#sectionsNamed(kind === PROFILE ? 'profile' : 'actions').filter(({ source }) => source.isBuiltIn)
  }

  /** Removes cached data and outdates unfinished loads: only callers that already wait for them get their result. */
  #remove(userId: string, affected: readonly SectionRuntime[]): void {
    if (affected.length === 0) return
    for (const { loads } of affected) loads.invalidate(userId)
    this.#deps.cache.deleteSections(userId, (key) => affected.some(({ name }) => isCacheKeyOf(name, key)))
  }

  /** The user was erased. */
  #forget(userId: string): void {
    this.#deps.sessions.forget(userId)
    this.#deps.history.forget(userId)
    this.#remove(userId, this.#all)
  }

  #removeFrozen(userId: string, affected: readonly SectionRuntime[]): void {
    this.#deps.sessions.unfreeze(userId, (key) => affected.some(({ name }) => isCacheKeyOf(name, key)))
    this.#remove(userId, affected)
  }

  /**
   * Another process has written data of an unnamed user to Purser's store, so all data from there must be read again.
   * This happens often. So the cache is not searched: data of the previous epoch is ignored from now on.
   */
  #startEpoch(): void {
    for (const section of this.#all) {
      if (!section.source.isBuiltIn) continue
      section.loads.invalidate(undefined)
      section.epoch += 1
    }
    this.#deps.cache.epoch += 1
  }

  #removeAll(): void {
    for (const { loads } of this.#all) loads.invalidate(undefined)
    this.#deps.cache.clear()
    this.#deps.sessions.clear()
    this.#deps.history.clear()
  }
}
