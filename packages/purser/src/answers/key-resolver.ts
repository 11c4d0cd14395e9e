import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import type { AnswerScope } from '../storage/answer-store.ts'
import { createAnswerKeys, type ScopeName } from './cache-key.ts'
import type { Scopes } from './scopes.ts'

/** Where an answer is, or would be. */
export interface CacheKey {
  readonly key: string
  readonly scope: AnswerScope
  /** The generation this look-up belongs to; null when the store could not say. Then nothing is found or kept. */
  readonly generation: number | null
  /** Whose answer it is, and in which of their lives; null when it is everybody's. */
  readonly life: Incarnation | null
}

export interface Incarnation {
  readonly user: Subject
  readonly incarnation: number
}

/** What is looked up. */
export interface KeyRequest {
  readonly kind: 'value' | 'turn'
  readonly scope: ScopeName
  readonly value: unknown
  /** The life the question was asked in, when that was before now. */
  readonly incarnation?: number | undefined
}

export interface KeyResolver {
  /** Finds the place of what a user wants. Rejects with `argument_invalid` only. */
  locate(user: Subject, wanted: KeyRequest): Promise<CacheKey>
  /** Where everything is that is kept for this user alone. */
  scopeOf(user: Subject): AnswerScope
  /** True while the life that asked is still going on. */
  isAlive(place: CacheKey): Promise<boolean>
}

/** Stands for a life that could not be looked up: nothing is found under it. */
const UNKNOWN_LIFE = 0

export function createKeyResolver(house: {
  readonly keys: Keyring
  readonly scopes: Scopes
  readonly incarnationOf: (user: Subject) => Promise<number>
  /** Told when the store could not be asked. */
  readonly onFailure: () => void
}): KeyResolver {
  const { scopes, incarnationOf, onFailure } = house
  const keyOf = createAnswerKeys(house.keys)

  async function lifeOf(user: Subject): Promise<number> {
    try {
      return await incarnationOf(user)
    } catch {
      onFailure()
      return UNKNOWN_LIFE
    }
  }

  async function generationOf(scope: AnswerScope): Promise<number | null> {
    try {
      const generation = scopes.generation(scope)
      return typeof generation === 'number' ? generation : await generation
    } catch {
      onFailure()
      return null
    }
  }

  return {
    async locate(user, { kind, scope, value, incarnation }) {
      const isOwn = scope === 'user'
      const present = isOwn ? await lifeOf(user) : UNKNOWN_LIFE
      const life = isOwn ? { user, incarnation: incarnation ?? present } : null
      const isPresent = life === null || (life.incarnation === present && present !== UNKNOWN_LIFE)
      const answerScope = scopes.of(user, scope)
      const key = keyOf({ kind, scope, user, incarnation: life?.incarnation ?? UNKNOWN_LIFE, value })
      return { key, scope: answerScope, generation: isPresent ? await generationOf(answerScope) : null, life }
    },
    scopeOf: (user) => scopes.of(user, 'user'),
    async isAlive({ life }) {
      return life === null || (await lifeOf(life.user)) === life.incarnation
    },
  }
}
