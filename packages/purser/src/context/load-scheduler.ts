import { CircuitBreaker, KeyedBackoff } from '../core/circuit-breaker.ts'
import type { DeadlineQueue } from '../core/deadline-queue.ts'
import { publish } from '../core/diagnostics.ts'
import type { Effects } from '../core/effects.ts'
import { SingleFlight } from '../core/single-flight.ts'
import type { ContextOptions } from '../options.ts'
import type { Reason } from './api.ts'
import { Bulkhead } from './bulkhead.ts'
import type { ContextLimits } from './limits.ts'
import { createLoad, type Load, type LoadOptions, type LoadWaiter, notifyWaiters } from './load.ts'

export interface LoadSchedulerDeps<Data> {
  readonly namespace: string
  /** Name in diagnostics. */
  readonly source: string
  readonly effects: Effects
  readonly timeouts: DeadlineQueue
  readonly limits: ContextLimits
  readonly options: Pick<ContextOptions, 'budgetMs' | 'maxUsers' | 'maxConcurrentLoads' | 'maxAbandonedLoads'>
  jitter(): number
  run(load: Load<Data>): Promise<Data>
  /** Called with data for the cache, before the waiters get it. */
  onLoaded(load: Load<Data>, data: Data): void
}

/**
 * Schedules the loads of one source. Callers of one key share a load; at most `maxConcurrentLoads` run, further ones
 * wait in a bounded queue, and what exceeds the queue is shed. A load that takes too long is abandoned. Keys and
 * sources that fail are not called again before their backoff. So a source that hangs delays its own callers only.
 *
 * A load outlives its waiters, unlike other calls under a `SingleFlight`: its data fills the cache for the next caller.
 */
export class LoadScheduler<Data> {
  readonly #deps: LoadSchedulerDeps<Data>
  readonly #bulkhead: Bulkhead<Data>
  readonly #breaker: CircuitBreaker
  readonly #backoff: KeyedBackoff
  /** The load that callers of a key join. Other unfinished loads of the key are outdated or abandoned. */
  readonly #current = new SingleFlight<Load<Data>>()
  /** Age at which a running load counts as a hang. */
  readonly #hangMs: number
  #isClosed = false

  constructor(deps: LoadSchedulerDeps<Data>) {
    const { limits, options, jitter } = deps
    this.#deps = deps
    this.#bulkhead = new Bulkhead({ ...limits, ...options })
    const backoff = { ...limits, jitter }
    this.#breaker = new CircuitBreaker(Math.min(limits.failureThreshold, options.maxConcurrentLoads), backoff)
    this.#backoff = new KeyedBackoff(options.maxUsers, backoff)
    this.#hangMs = Math.max(options.budgetMs, limits.minHangMs)
  }

  get counts(): { running: number; abandoned: number; queued: number } {
    return this.#bulkhead.counts
  }

  /**
   * Joins the current load of a key or starts one. A reason if there is nothing to wait for: the current load has run
   * for longer than the caller waits, or the key or the source is in backoff, or the queue is full.
   */
  join(options: LoadOptions, waiter?: LoadWaiter<Data>): Load<Data> | Reason {
    if (this.#isClosed) return 'closed'
    const now = this.#deps.effects.monotonic()
    const current = this.#current.get(options.key)
    if (current !== undefined) {
      if (waiter === undefined) return current
      const maxAgeMs = Math.max(options.budgetMs ?? 0, this.#deps.options.budgetMs)
      if (current.state === 'running' && now - current.startedAt >= maxAgeMs) return 'timeout'
      current.waiters.add(waiter)
      return current
    }
    if (this.#backoff.isActive(options.backoffKey, now, this.#breaker.closedAt)) return 'backoff'
    return this.#create(options, waiter, now)
  }

  leave(load: Load<Data>, waiter: LoadWaiter<Data>): void {
    load.waiters.delete(waiter)
    if (load.state === 'queued' && load.waiters.size === 0) this.#end(load)
  }

  /** From now on no new caller gets the data of unfinished loads of this user; undefined: of all users. */
  invalidate(userId: string | undefined): void {
    for (const load of this.#bulkhead.unfinished) {
      if (userId !== undefined && load.user.id !== userId) continue
      load.isOutdated = true
      this.#current.remove(load.key, load)
      if (load.waiters.size === 0) load.abort.abort(new Error('Outdated: the data has changed.'))
    }
  }

  /** Ends the backoff of a key. */
  resetBackoff(key: string): void {
    this.#backoff.reset(key)
  }

  /** Ends all loads; waiters are answered at once. */
  close(): void {
    this.#isClosed = true
    for (const load of [...this.#bulkhead.queued, ...this.#bulkhead.unfinished]) {
      load.isOutdated = true
      load.failure = 'closed'
      this.#end(load)
      notifyWaiters(load, undefined)
      load.abort.abort(new Error('Closed.'))
    }
  }

  #create(options: LoadOptions, waiter: LoadWaiter<Data> | undefined, now: number): Load<Data> | Reason {
    if (this.#breaker.isProbeDue(now)) this.#freeSlotForProbe()
    const mustQueue = !this.#bulkhead.hasSlot(options.user.id)
    const isShed = mustQueue && (waiter === undefined || this.#bulkhead.isQueueFull || this.#breaker.isOpen)
    const permit = isShed ? 'rejected' : this.#breaker.permit(now)
    if (permit === 'rejected') {
      this.#report('shed')
      return this.#breaker.isOpen ? 'breaker_open' : 'overloaded'
    }
    const load = createLoad<Data>(options, now)
    load.isProbe = permit === 'probe'
    if (waiter !== undefined) load.waiters.add(waiter)
    this.#current.set(options.key, load)
    if (mustQueue) this.#bulkhead.enqueue(load)
    else this.#start(load)
    return load
  }

  #start(load: Load<Data>): void {
    const { effects, run } = this.#deps
    const queuedMs = effects.monotonic() - load.startedAt
    load.startedAt = effects.monotonic()
    this.#bulkhead.start(load)
    this.#scheduleTimeout(load, load.startedAt + this.#hangMs, () => this.#becomeOverdue(load))
    this.#report('started', queuedMs)
    run(load).then(
      (data) => this.#succeed(load, data),
      () => this.#fail(load),
    )
  }

  #succeed(load: Load<Data>, data: Data): void {
    if (load.state === 'ended') {
      this.#report('dropped')
      return
    }
    const isLate = load.state === 'abandoned' || load.isOverdue
    load.isProbe = false
    this.#breaker.recordSuccess(this.#deps.effects.monotonic())
    if (load.isOutdated) this.#report('dropped')
    else {
      this.#backoff.reset(load.backoffKey)
      this.#outdateOlder(load)
      this.#deps.onLoaded(load, data)
      this.#report(isLate ? 'late' : 'loaded')
    }
    this.#end(load)
    notifyWaiters(load, data)
    this.#startQueued()
  }

  /** Unfinished loads of the key that started before this one would return older data. */
  #outdateOlder(load: Load<Data>): void {
    for (const other of this.#bulkhead.unfinished)
      if (other.key === load.key && other !== load && other.startedAt <= load.startedAt) other.isOutdated = true
  }

  #fail(load: Load<Data>): void {
    if (load.state === 'ended') return
    // An abort by the scheduler says nothing about the source, and a hang has been counted already.
    if (!load.abort.signal.aborted && !load.isOverdue) this.#recordFailure(load)
    this.#report('failed')
    this.#end(load)
    notifyWaiters(load, undefined)
    this.#startQueued()
  }

  /** Counts a failure or a hang, for the key and for the source. */
  #recordFailure(load: Load<Data>): void {
    const now = this.#deps.effects.monotonic()
    if (!load.isOutdated) this.#backoff.recordFailure(load.backoffKey, now, this.#breaker.closedAt)
    const hasOpened = this.#breaker.recordFailure(now, load.isProbe)
    load.isProbe = false
    if (hasOpened) this.#shedQueue()
  }

  #becomeOverdue(load: Load<Data>): void {
    load.isOverdue = true
    this.#recordFailure(load)
    const timeoutMs = Math.max(this.#deps.limits.loadTimeoutMs, this.#hangMs)
    this.#scheduleTimeout(load, load.startedAt + timeoutMs, () => this.#abandon(load))
  }

  /**
   * Abandons a load that has timed out. While callers wait for it, it may continue. While no further load can be
   * abandoned, it keeps its slot for `abandonedTimeoutMs` more.
   */
  #abandon(load: Load<Data>): void {
    const { effects, limits } = this.#deps
    const now = effects.monotonic()
    const isFull = this.#bulkhead.isAbandonedFull
    const slotEndsAt = load.startedAt + limits.loadTimeoutMs + limits.abandonedTimeoutMs
    if (load.waiters.size > 0 || (isFull && now < slotEndsAt)) {
      this.#scheduleTimeout(load, now + limits.minBackoffMs, () => this.#abandon(load))
      return
    }
    if (isFull) this.#end(load)
    else {
      this.#bulkhead.abandon(load)
      this.#current.remove(load.key, load)
      this.#scheduleTimeout(load, now + limits.abandonedTimeoutMs, () => this.#end(load))
    }
    this.#report('abandoned')
    load.abort.abort(new Error('Abandoned: the load took too long.'))
    this.#startQueued()
  }

  /** If hanging loads occupy all slots, abandons one without waiters, so that a recovery of the source is noticed. */
  #freeSlotForProbe(): void {
    if (!this.#bulkhead.isFull || this.#bulkhead.isAbandonedFull) return
    for (const load of this.#bulkhead.unfinished) {
      if (load.state !== 'running' || !load.isOverdue || load.waiters.size > 0) continue
      load.cancelTimeout()
      this.#abandon(load)
      return
    }
  }

  #scheduleTimeout(load: Load<Data>, at: number, run: () => void): void {
    const { timeouts } = this.#deps
    const timeout = timeouts.add(at, run)
    load.cancelTimeout = () => timeouts.remove(timeout)
  }

  /** While the breaker is open, no queued load would start soon. */
  #shedQueue(): void {
    for (const load of [...this.#bulkhead.queued]) {
      this.#report('shed')
      load.failure = 'breaker_open'
      this.#end(load)
      notifyWaiters(load, undefined)
    }
  }

  #startQueued(): void {
    if (this.#breaker.isOpen) return
    for (const load of this.#bulkhead.queued) {
      if (this.#bulkhead.isFull) return
      if (this.#bulkhead.hasSlot(load.user.id)) this.#start(load)
    }
  }

  #end(load: Load<Data>): void {
    this.#bulkhead.end(load)
    load.cancelTimeout()
    // A probe without a result has not shown that the source has recovered.
    if (load.isProbe) this.#breaker.recordFailure(this.#deps.effects.monotonic(), true)
    this.#current.remove(load.key, load)
  }

  #report(
    outcome: 'started' | 'loaded' | 'failed' | 'late' | 'abandoned' | 'dropped' | 'shed',
    queuedMs?: number,
  ): void {
    const { namespace, source } = this.#deps
    publish('load', { namespace, source, outcome, ...(queuedMs === undefined ? {} : { queuedMs }) })
  }
}
