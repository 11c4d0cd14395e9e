import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import type { PendingCalls } from '../core/pending-calls.ts'
import type { Subject } from '../core/subject.ts'
import { purserClosed } from '../errors.ts'
import type { AnswerOptions } from '../options.ts'
import type { AnswerStore } from '../storage/answer-store.ts'
import type { Bus } from '../storage/store.ts'
import { createAnswerCache } from './cache.ts'
import type { AnswersContext } from './deps.ts'
import { createFlights } from './flights.ts'
import { createKeyResolver } from './key-resolver.ts'
import { ANSWER_LIMITS, type AnswerLimits } from './limits.ts'
import { createMonotonicClock } from './monotonic-clock.ts'
import { createScopes } from './scopes.ts'
import { createStatsCounter } from './stats.ts'
import { createSweeper } from './sweeper.ts'
import { createUserAnswers, type UserAnswers } from './user-answers.ts'

export interface AnswersDeps {
  readonly store: AnswerStore
  readonly keys: Keyring
  readonly effects: Effects
  readonly options: AnswerOptions
  readonly namespace: string
  readonly calls: PendingCalls
  /** Tells other instances that answers were forgotten, and hears it from them. */
  readonly bus: Bus
  /** Which life of this user it is now, 1 or more. Asked at every look-up and before every keeping. */
  incarnationOf(user: Subject): Promise<number>
  readonly limits?: AnswerLimits
}

export interface AnswerStats {
  readonly entries: number
  /** Entries that have not expired. */
  readonly active: number
  /** Entries that have expired and are not swept yet. */
  readonly expired: number
  /** What the entries take: their text, and a fixed cost for each. */
  readonly bytes: number
  /** Where they are; null: only in memory. */
  readonly file: string | null
  readonly maxEntries: number
  readonly maxBytes: number
  readonly ttlMs: number
  /** Since the start, as all below. Every look-up is exactly one of hit, miss and joined. */
  readonly hits: number
  readonly misses: number
  readonly joined: number
  /** Live answers that had to make room. */
  readonly evictions: number
  /** Tokens that hits and joined turns did not pay for again, as far as the providers told. */
  readonly savedTokens: number
  /** How often the store failed; each time a look-up was a miss or an answer was not kept. */
  readonly failures: number
}

/**
 * What was answered before.
 *
 * After a crash every answer whose `remember` or turn had ended is there; last uses may be `touchEveryMs` old. When
 * the machine itself loses power, the answers of the last moments may be missing, but none is ever torn or foreign.
 */
export interface Answers {
  of(user: Subject): UserAnswers
  stats(): AnswerStats
  /** Writes the last uses that are gathered in memory. */
  flush(): Promise<void>
  /** No later call sees anything of this namespace that was kept before. */
  clear(): Promise<void>
  /** As `of(user).forget()`: also after the user was erased. */
  forget(user: Subject): Promise<number>
  /** Ends what is still computed, flushes, then stops all background work. Calls after that reject with `closed`. */
  close(): Promise<void>
}

export function createAnswers(house: AnswersDeps): Answers {
  const { store, effects, keys, options, namespace, bus, limits = ANSWER_LIMITS } = house
  const clock = createMonotonicClock(effects)
  const tally = createStatsCounter(namespace)
  const onFailure = tally.failed
  const scopes = createScopes({ store, keys, effects, limits })
  const shelf = createAnswerCache({ store, keys, effects, clock, options, limits, namespace, onFailure })
  const stopListening = bus.subscribe((message) => {
    if (message === 'gap' || (message.topic === 'answers' && message.namespace === namespace)) scopes.renew()
  })
  const forgotten = new Set<string>()
  let isClosed = false

  async function sweep(limit: number): Promise<number> {
    shelf.tidy(forgotten)
    forgotten.clear()
    try {
      return await store.sweep(namespace, { now: clock.now(), limit })
    } catch {
      tally.failed()
      return 0
    }
  }
  const upkeep = createSweeper({ effects, limits, sweep })

  const hall: AnswersContext = {
    limits,
    locator: createKeyResolver({ keys, scopes, incarnationOf: house.incarnationOf, onFailure }),
    shelf,
    values: createFlights(),
    turns: createFlights(),
    waiting: new Set(),
    calls: house.calls,
    tally,
    enter() {
      if (isClosed) throw purserClosed()
      upkeep.begin()
    },
    async forget(user) {
      hall.enter()
      const scope = scopes.of(user, 'user')
      const isTheirs = ({ owner }: { readonly owner: string }): boolean => owner === scope.owner
      hall.values.detachAll(isTheirs)
      hall.turns.detachAll(isTheirs)
      const count = await store.forget(scope)
      scopes.renew()
      forgotten.add(scope.owner)
      upkeep.soon()
      await bus.publish({ topic: 'answers', namespace })
      return count
    },
  }

  return {
    of: (user) => createUserAnswers(hall, user),
    forget: hall.forget,
    flush: shelf.flush,
    stats() {
      const { entries, bytes, expired } = store.totals(namespace, clock.now())
      const { maxEntries, maxBytes, ttlMs } = options
      const { hits, misses, joined, savedTokens, failures } = tally
      const { evictions } = shelf
      const held = { entries, active: entries - expired, expired, bytes, file: store.file }
      return { ...held, maxEntries, maxBytes, ttlMs, hits, misses, joined, evictions, savedTokens, failures }
    },
    async clear() {
      hall.enter()
      hall.values.detachAll(() => true)
      hall.turns.detachAll(() => true)
      await store.clear(namespace)
      scopes.renew()
      shelf.empty()
      upkeep.soon()
      await bus.publish({ topic: 'answers', namespace })
    },
    async close() {
      if (isClosed) return
      isClosed = true
      stopListening()
      for (const member of hall.waiting) member.leave(purserClosed())
      await upkeep.stop()
      await shelf.flush()
      shelf.stop()
    },
  }
}
