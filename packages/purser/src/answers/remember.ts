import { toAbortSignal } from '../core/call-signal.ts'
import type { PendingCalls } from '../core/pending-calls.ts'
import type { SingleFlight } from '../core/single-flight.ts'
import { purserClosed } from '../errors.ts'
import type { Compute, RememberOptions, RememberResult } from './api.ts'
import type { AnswerCache } from './cache.ts'
import type { CacheKey, KeyResolver } from './cache-key.ts'
import { CoalescedCall, type Waiter } from './coalesced-call.ts'
import type { StatsCounter } from './stats.ts'

/** A value as its JSON text; or as it is, if it is not JSON and cannot be cached. */
type Result =
  | { readonly value: string; readonly isCached: boolean }
  | { readonly raw: unknown; readonly isCached: false }

export type ValueCall = CoalescedCall<Result>

export interface RememberDeps {
  readonly keys: KeyResolver
  readonly cache: AnswerCache
  readonly calls: SingleFlight<ValueCall>
  readonly stats: StatsCounter
  readonly pending: PendingCalls
}

/** Cache-aside for values: stored, computed by an equal caller at the same time, or computed now. */
export class RememberCache {
  readonly #deps: RememberDeps
  readonly #waiters = new Set<Waiter<Result>>()

  constructor(deps: RememberDeps) {
    this.#deps = deps
  }

  /** Resolves at once if the answer is in memory. */
  async remember<T>(key: CacheKey, compute: Compute<T>, options: RememberOptions<T>): Promise<RememberResult<T>> {
    const { cache, stats, pending } = this.#deps
    const local = cache.getLocal(key)
    if (local === undefined) return pending.run(() => this.#share(key, compute, options))
    stats.count('hit')
    return { answer: JSON.parse(local.value) as T, source: 'hit' }
  }

  /** Rejects all callers that wait with `closed`, which aborts their computations. */
  close(): void {
    for (const waiter of this.#waiters) waiter.leave(purserClosed())
  }

  async #share<T>(key: CacheKey, compute: Compute<T>, options: RememberOptions<T>): Promise<RememberResult<T>> {
    const running = this.#deps.calls.get(key.key)
    // A call of an earlier generation is not joined: it was made before answers were forgotten.
    const call = running?.keys[0]?.generation === key.generation ? running : this.#start(key, compute, options)
    const waiter = call.join(options.signal)
    this.#waiters.add(waiter)
    let source: RememberResult<T>['source'] = waiter.isLeader ? 'computed' : 'joined'
    try {
      const result = await waiter.result
      if (result.isCached) source = 'hit'
      return { answer: ('raw' in result ? result.raw : JSON.parse(result.value)) as T, source }
    } finally {
      this.#waiters.delete(waiter)
      waiter.leave()
      this.#deps.stats.count(source === 'computed' ? 'miss' : source)
    }
  }

  #start<T>(key: CacheKey, compute: Compute<T>, options: RememberOptions<T>): ValueCall {
    const { calls } = this.#deps
    const call: ValueCall = new CoalescedCall((abandoned) => calls.remove(key.key, abandoned))
    call.keys.push(key)
    calls.set(key.key, call)
    void this.#run(call, compute, options)
    return call
  }

  /** Looks in the store, otherwise computes, stores and resolves. Errors go to the callers; this never rejects. */
  async #run<T>(call: ValueCall, compute: Compute<T>, { ttlMs, keep }: RememberOptions<T>): Promise<void> {
    const { cache, calls, keys } = this.#deps
    const key = call.keys[0] as CacheKey
    try {
      const stored = await cache.get(key)
      if (stored !== undefined) return call.resolve({ value: stored.value, isCached: true })
      if (call.signal.aborted) return
      const answer = await compute({ signal: toAbortSignal(call.signal) })
      const value = toJson(answer)
      if (value === undefined) return call.resolve({ raw: answer, isCached: false })
      const mayStore = (keep === undefined || keep(answer)) && (await keys.isCurrentIncarnation(key))
      if (mayStore && calls.isCurrent(key.key, call)) cache.set(key, value, ttlMs === undefined ? {} : { ttlMs })
      call.resolve({ value, isCached: false })
    } catch (error) {
      call.reject(error)
    } finally {
      call.end()
      calls.remove(key.key, call)
    }
  }
}

function toJson(answer: unknown): string | undefined {
  try {
    return JSON.stringify(answer)
  } catch {
    return undefined
  }
}
