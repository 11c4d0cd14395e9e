import type { Bus } from '../storage/store.ts'
import type { UserData } from './event.ts'
import type { OpenJournal } from './journal.ts'

/** What a server that keeps something of users needs to know about erasures in any process. */
export interface Erasures {
  /** The number of times that the user id has existed, as stored now. It differs before and after an erasure. */
  incarnation(user: string): Promise<number>
  /** Calls `listener` with every erased user, or with undefined when some may have been missed. Returns the end. */
  subscribe(listener: (user: string | undefined) => void): () => void
}

const erasures = new WeakMap<object, Erasures>()

export interface RegisterErasuresOptions {
  readonly namespace: string
  readonly bus: Bus
  readonly journal: Pick<OpenJournal<UserData>, 'readIncarnation' | 'onErased'>
}

/** Makes the erasures of an open Purser known to `erasuresOf`. */
export function registerErasures<Target extends object>(
  purser: Target,
  { namespace, bus, journal }: RegisterErasuresOptions,
): Target {
  erasures.set(purser, {
    incarnation: (id) => journal.readIncarnation({ namespace, id }),
    subscribe(listener) {
      const unsubscribe = bus.subscribe((message) => {
        if (message === 'gap') listener(undefined)
      })
      const unfollow = journal.onErased((user) => {
        if (user.namespace === namespace) listener(user.id)
      })
      return () => {
        unsubscribe()
        unfollow()
      }
    },
  })
  return purser
}

/** Undefined for an object that this copy of the package has not opened. */
export function erasuresOf(purser: object): Erasures | undefined {
  return erasures.get(purser)
}
