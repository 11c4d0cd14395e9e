import { LRUCache } from 'lru-cache'
import { type Subject, subjectKey } from '../core/subject.ts'
import type { BusMessage } from '../storage/store.ts'
import type { UserData } from './event.ts'
import { UserWriter, type UserWriterDeps } from './user-writer.ts'

export type UserWritersDeps<Data extends UserData> = Omit<UserWriterDeps<Data>, 'onActive' | 'onIdle'> & {
  /** Users whose decoded row is cached in memory. */
  readonly maxUsers: number
  /** Called when a user was erased, after the cached row is forgotten. */
  readonly onErased: (user: Subject) => void
}

/** The writers of all users: every writer with pending writes, and those of the users that were used last. */
export class UserWriters<Data extends UserData> {
  readonly #deps: UserWriterDeps<Data>
  readonly #onErased: (user: Subject) => void
  readonly #recent: LRUCache<string, UserWriter<Data>>
  /** Writers that are no longer among the recent ones and still have pending writes. */
  readonly #others = new Map<string, UserWriter<Data>>()
  #active = 0
  #idle: PromiseWithResolvers<void> | undefined

  constructor({ maxUsers, onErased, ...deps }: UserWritersDeps<Data>) {
    this.#onErased = onErased
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
      const user = { namespace: message.namespace, id: message.user }
      if (message.detail === 'erased') this.forget(user)
      else this.#peek(user)?.invalidate()
    }
  }

  /** The user was erased: nothing that was known of them counts any more. */
  forget(user: Subject): void {
    this.#peek(user)?.forget()
    this.#onErased(user)
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

  #peek(user: Subject): UserWriter<Data> | undefined {
    const key = subjectKey(user)
    return this.#recent.peek(key) ?? this.#others.get(key)
  }

  #add(user: Subject, key: string): UserWriter<Data> {
    const writer = this.#others.get(key) ?? new UserWriter(this.#deps, user, key)
    this.#others.delete(key)
    this.#recent.set(key, writer)
    return writer
  }
}
