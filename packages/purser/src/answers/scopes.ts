import { LRUCache } from 'lru-cache'
import type { Effects } from '../core/effects.ts'
import { type Keyring, tagOf } from '../core/keyring.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import type { AnswerScope, AnswerStore } from '../storage/answer-store.ts'
import type { ScopeName } from './cache-key.ts'
import type { AnswerLimits } from './limits.ts'

export interface Scopes {
  of(user: Subject, scope: ScopeName): AnswerScope
  /** The scope's generation: as last seen while that is fresh, else from the store. */
  generation(scope: AnswerScope): number | Promise<number>
  /** Something was forgotten: from now on nothing is believed that was seen, or asked for, before. */
  renew(): void
}

interface Seen {
  readonly generation: number
  /** Monotonic, ms. */
  readonly at: number
}

/**
 * Scopes and their generations. Another process may forget a user at any time, and news between processes may get
 * lost; so a generation is believed for `scopeFreshMs` and then looked up again, which is one small read.
 */
export function createScopes(house: {
  readonly store: AnswerStore
  readonly keys: Keyring
  readonly effects: Effects
  readonly limits: AnswerLimits
}): Scopes {
  const { store, keys, effects, limits } = house
  const owners = new LRUCache<string, AnswerScope>({ max: limits.maxScopes })
  const seen = new LRUCache<string, Seen>({ max: limits.maxScopes })
  let renewals = 0

  function ownerOf(user: Subject, scope: ScopeName): string {
    return scope === 'user' ? tagOf(keys, user) : keys.mac('answers', ['shared', user.namespace])
  }

  async function ask(scope: AnswerScope): Promise<number> {
    const at = effects.monotonic()
    const begun = renewals
    const generation = await store.generation(scope)
    if (begun === renewals) seen.set(scope.owner, { generation, at })
    return generation
  }

  return {
    of(user, scope) {
      const name = scope === 'user' ? subjectKey(user) : JSON.stringify([user.namespace])
      let found = owners.get(name)
      if (found === undefined) {
        found = { namespace: user.namespace, owner: ownerOf(user, scope) }
        owners.set(name, found)
      }
      return found
    },
    generation(scope) {
      const known = seen.get(scope.owner)
      const isFresh = known !== undefined && effects.monotonic() - known.at < limits.scopeFreshMs
      return isFresh ? known.generation : ask(scope)
    },
    renew() {
      renewals++
      seen.clear()
    },
  }
}
