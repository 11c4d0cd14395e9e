import { LRUCache } from 'lru-cache'
import { type Subject, subjectKey } from '../core/subject.ts'
import type { BusMessage } from '../storage/store.ts'
import type { UserData } from './event.ts'
import { UserWriter, type UserWriterDeps } from './user-writer.ts'

export type UserWritersDeps<Data extends UserData> = Omit<UserWriterDeps<Data>, 'onActive' | 'onIdle'> & {
  /** Users whose decoded row is cached in memory. */
  readonly maxUsers: number
}

/** The writers of all users: every writer with pending writes, and those of the users that were used last. */
export class UserWriters<Data extends UserData> {
  readonly #deps: UserWriterDeps<Data>
  readonly #recent: LRUCache<string, UserWriter<Data>>
  /** Writers that are no longer among the recent ones and still have pending writes. */
  readonly #others = new Map<string, UserWriter<Data>>()
  #active = 0
  #idle: PromiseWithResolvers<void> | undefined

  constructor({ maxUsers, ...deps }: UserWritersDeps<Data>) {
    this.#deps = {
      ...deps,
      onActive: () => {
        this.#active++
      },
      onIdle: (writer) => {
        this.#others.delete(writer.key)
        this.#active--
        if (this.#active === 0) this.#idle?.resolve()
      },
    }
    this.#recent = new LRUCache({
      max: maxUsers,
      dispose: (writer) => {
        if (writer.isActive) this.#others.set(writer.key, writer)
      },
    })
  }

  get(user: Subject): UserWriter<Data> {
    const key = subjectKey(user)
    return this.#recent.get(key) ?? this.#add(user, key)
  }

  /** Forgets cached rows that another process may have changed. */
  readonly onBusMessage = (message: BusMessage | 'gap'): void => {
    if (message === 'gap' || (message.topic === 'user' && message.user === undefined)) {
      for (const writer of this.#recent.values()) writer.invalidate()
      for (const writer of this.#others.values()) writer.invalidate()
    } else if (message.topic === 'user' && message.user !== undefined) {
      const key = subjectKey({ namespace: message.namespace, id: message.user })
      const writer = this.#recent.peek(key) ?? this.#others.get(key)
      if (message.detail === 'erased') writer?.forget()
      else writer?.invalidate()
    }
  }

  /** The writers with deferred writes whose outcome is not known yet. */
  withDeferred(): UserWriter<Data>[] {
    const writers = [...this.#recent.values(), ...this.#others.values()]
    return writers.filter(({ hasDeferred }) => hasDeferred)
  }

  /** Resolves when nothing is pending. */
  async idle(): Promise<void> {
    while (this.#active > 0) {
      this.#idle ??= Promise.withResolvers()
      await this.#idle.promise
      this.#idle = undefined
    }
  }

  #add(user: Subject, key: string): UserWriter<Data> {
    const writer = this.#others.get(key) ?? new UserWriter(this.#deps, user, key)
    this.#others.delete(key)
    this.#recent.set(key, writer)
    return writer
  }
}
