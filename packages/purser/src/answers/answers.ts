import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import type { PendingCalls } from '../core/pending-calls.ts'
import { SingleFlight } from '../core/single-flight.ts'
import type { Subject } from '../core/subject.ts'
import { purserClosed } from '../errors.ts'
import type { AnswerOptions } from '../options.ts'
import type { AnswerStore } from '../storage/answer-store.ts'
import type { Bus } from '../storage/store.ts'
import { type AccessTracker, createAccessTracker } from './access-tracker.ts'
import type { AnswerStats, Answers, InternalUserAnswers } from './api.ts'
import { AnswerCache } from './cache.ts'
import { type CacheKey, createKeyResolver } from './cache-key.ts'
import { ANSWER_LIMITS, type AnswerLimits } from './limits.ts'
import { createMonotonicClock, type MonotonicClock } from './monotonic-clock.ts'
import { RememberCache, type ValueCall } from './remember.ts'
import { createScopes, type Scopes } from './scopes.ts'
import { createStatsCounter, type StatsCounter } from './stats.ts'
import { createSweeper, type Sweeper } from './sweeper.ts'
import { TurnAnswers, type TurnCall } from './turn-answers.ts'
import { createUserAnswers, type UserAnswersDeps } from './user-answers.ts'

export interface AnswersDeps {
  readonly store: AnswerStore
  readonly keys: Keyring
  readonly effects: Effects
  readonly options: AnswerOptions
  readonly namespace: string
  readonly calls: PendingCalls
  /**
   * The answers of the ledger's store, when `store` may belong to this process alone: `forget` and `clear` end generations
   * there as well, so that no other process serves what was forgotten.
   */
  readonly shared?: AnswerStore | undefined
  /** Informs other instances that answers were removed, and receives their messages. */
  readonly bus: Bus
  /** The current incarnation of a user, 1 or more; at once if it is in memory. Called at every lookup and before every write. */
  incarnationOf(user: Subject): number | Promise<number>
  readonly limits?: AnswerLimits
}

export function createAnswers(deps: AnswersDeps): Answers {
  return new AnswersModule(deps)
}

/** The response cache of all users: builds its pieces, and forgets, clears, sweeps and closes across them. */
class AnswersModule implements Answers {
  readonly #deps: AnswersDeps
  readonly #clock: MonotonicClock
  readonly #stats: StatsCounter
  readonly #scopes: Scopes
  readonly #sharedScopes: Scopes | undefined
  readonly #access: AccessTracker
  readonly #cache: AnswerCache
  readonly #sweeper: Sweeper
  readonly #values: RememberCache
  readonly #valueCalls = new SingleFlight<ValueCall>()
  readonly #turnCalls = new SingleFlight<TurnCall>()
  readonly #user: UserAnswersDeps
  readonly #stopListening: () => void
  /** Owners whose answers were forgotten since the last sweep. */
  readonly #forgotten = new Set<string>()
  #isClosed = false

  constructor(deps: AnswersDeps) {
    const { store, keys: keyring, effects, options, namespace, limits = ANSWER_LIMITS } = deps
    const stats = createStatsCounter(namespace)
    const onFailure = stats.addFailure
    const clock = createMonotonicClock(effects)
    const scopes = createScopes({ store, keys: keyring, effects, limits })
    const sharedScopes = deps.shared && createScopes({ store: deps.shared, keys: keyring, effects, limits })
    const { incarnationOf } = deps
    const keys = createKeyResolver({ keys: keyring, scopes, sharedScopes, incarnationOf, onFailure })
    const access = createAccessTracker({
      effects,
      touchEveryMs: options.touchEveryMs,
      limits,
      write: (uses) => store.touch(namespace, uses).catch(onFailure),
    })
    const cache = new AnswerCache({
      store,
      keys: keyring,
      effects,
      clock,
      access,
      options,
      limits,
      namespace,
      onFailure,
    })
    const [values, turns] = [this.#valueCalls, this.#turnCalls]
    this.#values = new RememberCache({ keys, cache, calls: values, stats, pending: deps.calls })
    this.#user = {
      keys,
      cache,
      values: this.#values,
      turns: new TurnAnswers({ keys, cache, calls: turns, stats, maxAnswerBytes: limits.maxAnswerBytes }),
      stats,
      begin: () => this.#begin(),
      forget: (user) => this.forget(user),
    }
    this.#sweeper = createSweeper({ effects, limits, sweep: (limit) => this.#sweep(limit) })
    this.#stopListening = deps.bus.subscribe((message) => {
      if (message !== 'gap' && (message.topic !== 'answers' || message.namespace !== namespace)) return
      scopes.renew()
      sharedScopes?.renew()
    })
    this.#deps = deps
    this.#clock = clock
    this.#stats = stats
    this.#scopes = scopes
    this.#sharedScopes = sharedScopes
    this.#access = access
    this.#cache = cache
  }

  of(user: Subject): InternalUserAnswers {
    return createUserAnswers(this.#user, user)
  }

  stats(): AnswerStats {
    const { store, namespace, options } = this.#deps
    const { entries, bytes, expired } = store.totals(namespace, this.#clock.now())
    const { maxEntries, maxBytes, ttlMs } = options
    const { hits, misses, joined, savedTokens, failures } = this.#stats
    const { evictions, unwritten } = this.#cache
    const all = entries + unwritten.entries
    const totals = { entries: all, active: all - expired, expired, bytes: bytes + unwritten.bytes, file: store.file }
    const counts = { hits, misses, joined, evictions, memoryOnly: unwritten.refused, savedTokens, failures }
    return { ...totals, maxEntries, maxBytes, ttlMs, ...counts }
  }

  async flush(): Promise<void> {
    await this.#cache.flush()
    await this.#access.flush()
    // Answers that were evicted before their use was written.
    await this.#cache.flush()
  }

  async forget(user: Subject): Promise<number> {
    this.#begin()
    const scope = this.#scopes.of(user, 'user')
    const isTheirs = ({ keys }: { readonly keys: readonly CacheKey[] }): boolean =>
      keys.some((key) => key.scope.owner === scope.owner)
    this.#valueCalls.removeWhere(isTheirs)
    this.#turnCalls.removeWhere(isTheirs)
    // Written before they are forgotten, so that they are counted; those that arrive later are of an ended generation.
    await this.#cache.flush()
    await this.#deps.shared?.forget(scope)
    const count = await this.#deps.store.forget(scope)
    this.#forgotten.add(scope.owner)
    await this.#announce()
    return count
  }

  async clear(): Promise<void> {
    this.#begin()
    this.#valueCalls.removeWhere(() => true)
    this.#turnCalls.removeWhere(() => true)
    await this.#cache.flush()
    await this.#deps.shared?.clear(this.#deps.namespace)
    await this.#deps.store.clear(this.#deps.namespace)
    this.#cache.clearLocal()
    await this.#announce()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopListening()
    this.#values.close()
    await this.#sweeper.stop()
    await this.#cache.close()
    await this.#access.flush()
    this.#access.stop()
  }

  #begin(): void {
    if (this.#isClosed) throw purserClosed()
    this.#sweeper.begin()
  }

  /** Called after a removal: this process reads generations again at once, other instances when the message arrives. */
  async #announce(): Promise<void> {
    this.#scopes.renew()
    this.#sharedScopes?.renew()
    this.#sweeper.soon()
    await this.#deps.bus.publish({ topic: 'answers', namespace: this.#deps.namespace })
  }

  async #sweep(limit: number): Promise<number> {
    this.#cache.pruneLocal(this.#forgotten)
    this.#forgotten.clear()
    try {
      return await this.#deps.store.sweep(this.#deps.namespace, { now: this.#clock.now(), limit })
    } catch {
      this.#stats.addFailure()
      return 0
    }
  }
}
