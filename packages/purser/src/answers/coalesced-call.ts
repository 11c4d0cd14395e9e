import { type AbortSignalLike, CallSignal } from '../core/call-signal.ts'
import type { CacheKey } from './cache-key.ts'

/** One caller of a shared call: it waits for the result, then reads it. */
export interface Waiter<Result> {
  /** The result of the call; rejects with `signal.reason` as soon as this caller's own signal is aborted. */
  readonly result: Promise<Result>
  /** The caller that the call was made for. The others joined it. */
  readonly isLeader: boolean
  readonly hasLeft: boolean
  /** Why it left, if its signal was aborted. */
  readonly leaveReason: unknown
  /** Called when the caller's signal is aborted. */
  onAbort: (() => void) | undefined
  /** Stops waiting. With a reason, `result` rejects with it, as if the signal had been aborted. */
  leave(reason?: unknown): void
}

interface InternalWaiter<Result> extends Waiter<Result> {
  call: CoalescedCall<Result>
  isLeader: boolean
  hasLeft: boolean
  leaveReason: unknown
  readonly deferred: PromiseWithResolvers<Result>
  readonly stopListening: () => void
}

/**
 * One call made for all callers that want the same at the same time. Each waits with its own signal and may leave at
 * any time; the call is aborted when the last one has left before it ended. Waiters form a set instead of a chain of
 * promise races, so nothing of a caller that has left is retained.
 */
export class CoalescedCall<Result> {
  readonly #waiters = new Set<InternalWaiter<Result>>()
  readonly #abort = new CallSignal()
  readonly #onAbandoned: (call: CoalescedCall<Result>) => void
  /** What the result is stored under. */
  readonly keys: CacheKey[] = []
  /** How many callers have shared the call so far. */
  callerCount = 0
  #outcome: { readonly result: Result } | { readonly error: unknown } | undefined
  #hasEnded = false

  /** `onAbandoned` runs when the last caller has left while the call was still running. */
  constructor(onAbandoned: (call: CoalescedCall<Result>) => void) {
    this.#onAbandoned = onAbandoned
  }

  /** Aborted when no caller is left. */
  get signal(): AbortSignalLike {
    return this.#abort
  }

  /** The first caller leads: its source of the result counts as a miss. */
  join(signal: AbortSignalLike | undefined): Waiter<Result> {
    const abort = (): void => CoalescedCall.#leave(waiter, signal?.reason, true)
    const deferred = Promise.withResolvers<Result>()
    const waiter: InternalWaiter<Result> = {
      call: this,
      deferred,
      result: deferred.promise,
      isLeader: this.callerCount === 0,
      hasLeft: false,
      leaveReason: undefined,
      onAbort: undefined,
      leave: (reason) => CoalescedCall.#leave(waiter, reason, reason !== undefined),
      stopListening: () => signal?.removeEventListener('abort', abort),
    }
    this.callerCount++
    this.#waiters.add(waiter)
    this.#settle(waiter)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    return waiter
  }

  /** Takes over the callers of another call that turned out to want the same. That call makes no request of its own. */
  absorb(other: CoalescedCall<Result>): void {
    other.#hasEnded = true
    this.callerCount += other.callerCount
    this.keys.push(...other.keys)
    for (const waiter of other.#waiters) {
      waiter.call = this
      waiter.isLeader = false
      this.#waiters.add(waiter)
      this.#settle(waiter)
    }
    other.#waiters.clear()
  }

  /** Gives the result to all callers, also to those that join later. */
  resolve(result: Result): void {
    this.#outcome = { result }
    for (const waiter of this.#waiters) this.#settle(waiter)
  }

  reject(error: unknown): void {
    this.#outcome = { error }
    for (const waiter of this.#waiters) this.#settle(waiter)
  }

  /** Nothing is left to cancel. */
  end(): void {
    this.#hasEnded = true
  }

  #settle(waiter: InternalWaiter<Result>): void {
    if (this.#outcome === undefined) return
    if ('error' in this.#outcome) waiter.deferred.reject(this.#outcome.error)
    else waiter.deferred.resolve(this.#outcome.result)
  }

  /** Static, because a waiter may have moved to another call since it joined. */
  static #leave<Result>(waiter: InternalWaiter<Result>, reason: unknown, isAbort: boolean): void {
    const { call } = waiter
    if (!call.#waiters.delete(waiter)) return
    waiter.hasLeft = true
    waiter.leaveReason = reason
    waiter.stopListening()
    if (isAbort) {
      waiter.deferred.reject(reason)
      waiter.onAbort?.()
    }
    if (call.#waiters.size > 0 || call.#hasEnded) return
    call.#hasEnded = true
    call.#onAbandoned(call)
    call.#abort.abort(reason)
  }
}
