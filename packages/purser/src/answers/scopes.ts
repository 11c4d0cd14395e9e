import { LRUCache } from 'lru-cache'
import type { Effects } from '../core/effects.ts'
import { type Keyring, tagOf } from '../core/keyring.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import type { AnswerScope, AnswerStore } from '../storage/answer-store.ts'
import type { AnswerLimits } from './limits.ts'

export type ScopeName = 'user' | 'namespace'

export interface Scopes {
  of(user: Subject, scope: ScopeName): AnswerScope
  /** The scope's generation: as last read while that is fresh, otherwise from the store. */
  generation(scope: AnswerScope): number | Promise<number>
  /** Answers were forgotten: generations read or requested before are no longer used. */
  renew(): void
}

interface ReadGeneration {
  readonly generation: number
  /** Monotonic, ms. */
  readonly at: number
}

/**
 * Scopes and their generations. Another process may forget a user's answers at any time, and bus messages may be lost;
 * so a generation is used for `scopeFreshMs` and then read again, which is one small read.
 */
export function createScopes(deps: {
  readonly store: AnswerStore
  readonly keys: Keyring
  readonly effects: Effects
  readonly limits: AnswerLimits
}): Scopes {
  const { store, keys, effects, limits } = deps
  const owners = new LRUCache<string, AnswerScope>({ max: limits.maxScopes })
  const seen = new LRUCache<string, ReadGeneration>({ max: limits.maxScopes })
  /** Reads in progress, by owner: callers who share one go on in the order in which they asked. */
  const asked = new Map<string, Promise<number>>()
  let renewals = 0

  function ownerOf(user: Subject, scope: ScopeName): string {
    return scope === 'user' ? tagOf(keys, user) : keys.mac('answers', ['shared', user.namespace])
  }

  function ask(scope: AnswerScope): number | Promise<number> {
    const running = asked.get(scope.owner)
    if (running !== undefined) return running
    const at = effects.monotonic()
    const begun = renewals
    const keep = (generation: number): number => {
      if (begun === renewals) seen.set(scope.owner, { generation, at })
      return generation
    }
    const read = store.generation(scope)
    if (typeof read === 'number') return keep(read)
    const reading = read.then(keep).finally(() => {
      if (asked.get(scope.owner) === reading) asked.delete(scope.owner)
    })
    asked.set(scope.owner, reading)
    return reading
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
      asked.clear()
    },
  }
}
