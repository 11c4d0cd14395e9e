import { PurserError } from '../../src/errors.ts'
import type { Store } from '../../src/storage/store.ts'

export interface FailingStore extends Store {
  /** While true, every call is rejected with `store_unavailable`, and writes nothing. */
  isDown: boolean
  /** While true, calls are done and then rejected, as if their replies were lost. */
  losesReplies: boolean
  /** The calls since the start. */
  readonly calls: string[]
}

/** A store that fails when a test wants it to. */
export function failingStore(store: Store): FailingStore {
  const calls: string[] = []
  const unavailable = (): PurserError => new PurserError('store_unavailable', 'The store is down.')
  const wrap = <Part extends object>(name: string, part: Part): Part =>
    new Proxy(part, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key)
        if (typeof member !== 'function' || key === 'totals' || key === 'subscribe') return member
        return async (...args: unknown[]) => {
          calls.push(`${name}.${String(key)}`)
          if (failing.isDown) throw unavailable()
          const result: unknown = await Reflect.apply(member, target, args)
          if (failing.losesReplies) throw unavailable()
          return result
        }
      },
    })
  const failing: FailingStore = {
    ...store,
    meta: wrap('meta', store.meta),
    users: wrap('users', store.users),
    events: wrap('events', store.events),
    bus: wrap('bus', store.bus),
    answers: wrap('answers', store.answers),
    lastGood: wrap('lastGood', store.lastGood),
    instances: wrap('instances', store.instances),
    isDown: false,
    losesReplies: false,
    calls,
  }
  return failing
}
