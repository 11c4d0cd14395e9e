import type { DeadlineQueue } from '../core/deadline-queue.ts'
import { publish } from '../core/diagnostics.ts'
import type { Effects } from '../core/effects.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { Failures } from './failures.ts'
import type { ContextLimits } from './limits.ts'
import { createLoad, type Load, type LoadOptions, type Waiter } from './load.ts'

export interface LoadRequest<Data> {
  readonly namespace: string
  /** Of the source, for signals. */
  readonly name: string
  readonly effects: Effects
  readonly ages: DeadlineQueue
  readonly limits: ContextLimits
  readonly maxFlights: number
  readonly maxAbandoned: number
  /** Users whose failures are remembered. */
  readonly maxUsers: number
  /** Nobody new waits for a flight this old, unless they have more time than that. */
  readonly patienceMs: number
  /** A flight this old is a hang, which counts as a failure. */
  readonly overdueMs: number
  random(): number
  load(flight: Load<Data>): Promise<Data>
  /** Data that may be kept, before the waiters get it. */
  store(flight: Load<Data>, data: Data): void
}

/**
 * All flights of one source. Places are counted: at most `maxFlights` live ones and `maxAbandoned` that were given up
 * but have not ended, since JavaScript cannot stop work that does not listen. What finds no place waits in a bounded
 * queue, and what finds no room there is shed. So a source that hangs costs its own users only.
 */
export class LoadScheduler<Data> {
  readonly #plan: LoadRequest<Data>
  readonly #breaker: CircuitBreaker
  /** The flight that callers of a key join; the others under way are outdated or given up. */
  readonly #current = new Map<string, Load<Data>>()
  readonly #queued = new Set<Load<Data>>()
  /** Live and abandoned. */
  readonly #unfinished = new Set<Load<Data>>()
  readonly #failures: Failures
  #live = 0
  #closed = false

  constructor(plan: LoadRequest<Data>) {
    this.#plan = plan
    const { firstPauseMs, longestPauseMs, failuresToOpen } = plan.limits
    const pauses = { firstPauseMs, longestPauseMs, random: plan.random }
    this.#breaker = new CircuitBreaker(Math.min(failuresToOpen, plan.maxFlights), pauses)
    this.#failures = new Failures(plan.maxUsers, pauses)
  }

  get counts(): { live: number; abandoned: number; queued: number } {
    return { live: this.#live, abandoned: this.#unfinished.size - this.#live, queued: this.#queued.size }
  }

  /** Joins the load under way or begins one; undefined when it is not worth waiting, or not allowed. */
  board(order: LoadOptions, waiter?: Waiter<Data>): Load<Data> | undefined {
    if (this.#closed) return undefined
    const now = this.#plan.effects.monotonic()
    const current = this.#current.get(order.key)
    if (current !== undefined) {
      if (waiter === undefined) return current
      const patienceMs = Math.max(order.budgetMs ?? 0, this.#plan.patienceMs)
      if (current.place === 'live' && now - current.beganAt >= patienceMs) return undefined
      current.waiters.add(waiter)
      return current
    }
    if (this.#failures.isPaused(order.key, now, this.#breaker.healedAt)) return undefined
    return this.#begin(order, waiter, now)
  }

  leave(flight: Load<Data>, waiter: Waiter<Data>): void {
    flight.waiters.delete(waiter)
    if (flight.place === 'queued' && flight.waiters.size === 0) this.#finish(flight)
  }

  /** From now on nobody new sees what loads of this user (undefined: of anybody) bring that have begun already. */
  outdate(userId: string | undefined): void {
    for (const flight of this.#unfinished) {
      if (userId !== undefined && flight.user.id !== userId) continue
      flight.outdated = true
      if (this.#current.get(flight.key) === flight) this.#current.delete(flight.key)
      if (flight.waiters.size === 0) flight.abort.abort(new Error('Overtaken by a change of the data.'))
    }
  }

  /** Forgets what is known about a user beside their flights. */
  forget(userId: string): void {
    for (const key of [userId, `${userId}\ncreate`, `${userId}\nreuse`]) this.#failures.forget(key)
  }

  /** Ends all flights; those who wait are answered at once. */
  close(): void {
    this.#closed = true
    for (const flight of [...this.#queued, ...this.#unfinished]) {
      flight.outdated = true
      this.#finish(flight)
      this.#tell(flight, undefined)
      flight.abort.abort(new Error('Closed.'))
    }
  }

  #begin(order: LoadOptions, waiter: Waiter<Data> | undefined, now: number): Load<Data> | undefined {
    if (this.#breaker.wantsProbe(now)) this.#makeRoomForProbe()
    const mustWait = !this.#hasRoom(order.user.id)
    const shed =
      mustWait && (waiter === undefined || this.#queued.size >= this.#plan.limits.maxQueued || this.#breaker.open)
    const pass = shed ? 'refused' : this.#breaker.pass(now)
    if (pass === 'refused') {
      this.#report('shed')
      return undefined
    }
    const flight = createLoad<Data>(order, now)
    flight.probe = pass === 'probe'
    if (waiter !== undefined) flight.waiters.add(waiter)
    this.#current.set(order.key, flight)
    if (mustWait) this.#queued.add(flight)
    else this.#start(flight)
    return flight
  }

  /** A free place, and not one user in all of them. */
  #hasRoom(userId: string): boolean {
    if (this.#live >= this.#plan.maxFlights) return false
    let ofUser = 0
    for (const flight of this.#unfinished) if (flight.user.id === userId) ofUser += 1
    return ofUser < this.#plan.limits.maxPerUser
  }

  #start(flight: Load<Data>): void {
    const { effects, ages, overdueMs, load } = this.#plan
    const queuedMs = effects.monotonic() - flight.beganAt
    flight.place = 'live'
    flight.beganAt = effects.monotonic()
    this.#live += 1
    this.#unfinished.add(flight)
    const age = ages.add(flight.beganAt + overdueMs, () => this.#becomeOverdue(flight))
    flight.cancelAge = () => ages.remove(age)
    this.#report('started', queuedMs)
    load(flight).then(
      (data) => this.#land(flight, data),
      () => this.#fail(flight),
    )
  }

  #land(flight: Load<Data>, data: Data): void {
    if (flight.place === 'over') {
      this.#report('dropped')
      return
    }
    const now = this.#plan.effects.monotonic()
    const isLate = flight.place === 'abandoned' || flight.overdue
    flight.probe = false
    this.#breaker.succeeded(now)
    if (flight.outdated) this.#report('dropped')
    else {
      this.#failures.forget(flight.key)
      // Whatever began earlier and is still on its way would bring older data.
      for (const other of this.#unfinished)
        if (other.key === flight.key && other !== flight && other.beganAt <= flight.beganAt) other.outdated = true
      this.#plan.store(flight, data)
      this.#report(isLate ? 'late' : 'loaded')
    }
    this.#finish(flight)
    this.#tell(flight, data)
    this.#startQueued()
  }

  #fail(flight: Load<Data>): void {
    if (flight.place === 'over') return
    // Aborted by us it says nothing about the source, and a hang has been counted already.
    if (!flight.abort.signal.aborted && !flight.overdue) this.#count(flight)
    this.#report('failed')
    this.#finish(flight)
    this.#tell(flight, undefined)
    this.#startQueued()
  }

  #becomeOverdue(flight: Load<Data>): void {
    flight.overdue = true
    this.#count(flight)
    this.#ageTo(flight, flight.beganAt + Math.max(this.#plan.limits.flightAgeMs, this.#plan.overdueMs), () =>
      this.#giveUp(flight),
    )
  }

  /** When all places are taken by hanging loads, one that nobody waits for gives way, so that healing is noticed. */
  #makeRoomForProbe(): void {
    if (this.#live < this.#plan.maxFlights || this.#unfinished.size - this.#live >= this.#plan.maxAbandoned) return
    for (const flight of this.#unfinished) {
      if (flight.place !== 'live' || !flight.overdue || flight.waiters.size > 0) continue
      flight.cancelAge()
      this.#giveUp(flight)
      return
    }
  }

  /**
   * Moves a flight that is too old out of the way. While somebody still waits for it, it may stay; while there is no
   * place for another one that was given up, it keeps its own, until it is written off.
   */
  #giveUp(flight: Load<Data>): void {
    const { effects, limits, maxAbandoned } = this.#plan
    const now = effects.monotonic()
    const isFull = this.#unfinished.size - this.#live >= maxAbandoned
    const writeOffAt = flight.beganAt + limits.flightAgeMs + limits.writeOffMs
    if (flight.waiters.size > 0 || (isFull && now < writeOffAt)) {
      this.#ageTo(flight, now + limits.firstPauseMs, () => this.#giveUp(flight))
      return
    }
    if (isFull) this.#finish(flight)
    else {
      this.#live -= 1
      flight.place = 'abandoned'
      if (this.#current.get(flight.key) === flight) this.#current.delete(flight.key)
      this.#ageTo(flight, now + limits.writeOffMs, () => this.#finish(flight))
    }
    this.#report('abandoned')
    flight.abort.abort(new Error('Given up: it took too long.'))
    this.#startQueued()
  }

  #ageTo(flight: Load<Data>, at: number, run: () => void): void {
    const age = this.#plan.ages.add(at, run)
    flight.cancelAge = () => this.#plan.ages.remove(age)
  }

  /** Counts a failure or a hang, for the user and for the source. */
  #count(flight: Load<Data>): void {
    const now = this.#plan.effects.monotonic()
    if (!flight.outdated) this.#failures.note(flight.key, now, this.#breaker.healedAt)
    const opened = this.#breaker.failed(now, flight.probe)
    flight.probe = false
    if (opened) this.#shedQueue()
  }

  /** Nothing in the queue will begin soon, so nobody should wait there. */
  #shedQueue(): void {
    for (const flight of [...this.#queued]) {
      this.#report('shed')
      this.#finish(flight)
      this.#tell(flight, undefined)
    }
  }

  #startQueued(): void {
    if (this.#breaker.open) return
    for (const flight of this.#queued) {
      if (this.#live >= this.#plan.maxFlights) return
      if (!this.#hasRoom(flight.user.id)) continue
      this.#queued.delete(flight)
      this.#start(flight)
    }
  }

  #finish(flight: Load<Data>): void {
    if (flight.place === 'live') this.#live -= 1
    flight.place = 'over'
    flight.cancelAge()
    // A probe that ends without an answer has not shown that the source is well.
    if (flight.probe) this.#breaker.failed(this.#plan.effects.monotonic(), true)
    this.#queued.delete(flight)
    this.#unfinished.delete(flight)
    if (this.#current.get(flight.key) === flight) this.#current.delete(flight.key)
  }

  #tell(flight: Load<Data>, data: Data | undefined): void {
    const waiters = [...flight.waiters]
    flight.waiters.clear()
    for (const waiter of waiters) waiter.landed(flight, data)
  }

  #report(
    outcome: 'started' | 'loaded' | 'failed' | 'late' | 'abandoned' | 'dropped' | 'shed',
    queuedMs?: number,
  ): void {
    const { namespace, name } = this.#plan
    publish('flight', { namespace, source: name, outcome, ...(queuedMs === undefined ? {} : { queuedMs }) })
  }
}
