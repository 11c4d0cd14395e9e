import type { Subject } from '../core/subject.ts'
import type { CacheStore } from './cache-store.ts'
import type { Bus } from './store.ts'

export interface FollowRemovalsDeps {
  readonly namespace: string
  readonly bus: Bus
  /** Keyed hash of a user id. */
  tag(user: Subject): string
}

/**
 * Repeats in a cache of this process what others remove from theirs: data of erased users and invalidated contexts. What a
 * lost message leaves behind is never served for an erased user, and is replaced or evicted. Returns a function that ends it.
 */
export function followRemovals(cache: CacheStore, { namespace, bus, tag }: FollowRemovalsDeps): () => void {
  return bus.subscribe((message) => {
    if (message === 'gap' || message.namespace !== namespace || message.user === undefined) return
    const user: Subject = { namespace, id: message.user }
    const ignore = (): void => undefined
    if (message.topic === 'user' && message.detail === 'erased') cache.wipe(user, tag(user)).catch(ignore)
    const [, section] = (message.detail ?? '').split(' ')
    if (message.topic === 'context') cache.lastGood.drop(user, section || undefined).catch(ignore)
  })
}
