import { LRUCache } from 'lru-cache'
import type { Effects } from '../effects.ts'
import type { Subject } from '../identity.ts'
import { signal } from '../signals.ts'
import { Breaker, type Pauses, pauseAfter } from './breaker.ts'
import type { DeadlineQueue } from './deadline.ts'
import type { ContextLimits } from './limits.ts'
import type { Mode } from './port.ts'

/**
 * One load of one section of one user, shared by everybody who asks meanwhile.
 *
 * Who waits is a member of `waiters` and leaves at their own deadline, so nothing of a caller is kept by a load that
 * hangs. A flight that an invalidation or a newer load has overtaken is `outdated`: it still answers those who came
 * before, and its data goes nowhere else. That mark is the generation: who begins later never sees it.
 */
export interface Flight<Data> {
  readonly key: string
  readonly user: Subject
  readonly mode: Mode
  /** Must ask the source, even when the store holds something fresh. */
  readonly insists: boolean
  readonly waiters: Set<Waiter<Data>>
  readonly abort: AbortController
  place: 'queued' | 'live' | 'abandoned' | 'over'
  /** Monotonic ms; while queued: when it was asked for. */
  beganAt: number
  outdated: boolean
  probe: boolean
  /** It has kept somebody waiting for a whole budget. */
  overdue: boolean
  cancelAge: () => void
}

export interface Waiter<Data> {
  /** The load is over; undefined: it failed, was shed or given up. */
  landed(flight: Flight<Data>, data: Data | undefined): void
  /** Older data turned up on the way. */
  glimpsed(flight: Flight<Data>, data: Data): void
}

export interface FlightOrder {
  readonly key: string
  readonly user: Subject
  readonly mode: Mode
  readonly insists: boolean
  /** How long the caller is going to wait; undefined: a refresh nobody waits for. */
  readonly budgetMs: number | undefined
}

export interface FlightPlan<Data> {
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
  /** A flight this old is a hang, and nobody new waits for it. */
  readonly overdueMs: number
  random(): number
  load(flight: Flight<Data>): Promise<Data>
  /** Data that may be kept, before the waiters get it. */
  store(flight: Flight<Data>, data: Data): void
}

/** A user's failures in a row. */
interface Failures {
  readonly count: number
  readonly at: number
  readonly until: number
}

/**
 * All flights of one source. Places are counted: at most `maxFlights` live ones and `maxAbandoned` that were given up
 * but have not ended, since JavaScript cannot stop work that does not listen. What finds no place waits in a bounded
 * queue, and what finds no room there is shed. So a source that hangs costs its own users only.
 */
export class Flights<Data> {
  readonly #plan: FlightPlan<Data>
  readonly #pauses: Pauses
  readonly #breaker: Breaker
  /** The flight that callers of a key join; the others under way are outdated or given up. */
  readonly #current = new Map<string, Flight<Data>>()
  readonly #queued = new Set<Flight<Data>>()
  /** Live and abandoned. */
  readonly #unfinished = new Set<Flight<Data>>()
  readonly #failures: LRUCache<string, Failures>
  #live = 0
  #closed = false

  constructor(plan: FlightPlan<Data>) {
    this.#plan = plan
    const { firstPauseMs, longestPauseMs, failuresToOpen } = plan.limits
    this.#pauses = { firstPauseMs, longestPauseMs, random: plan.random }
    this.#breaker = new Breaker(Math.min(failuresToOpen, plan.maxFlights), this.#pauses)
    this.#failures = new LRUCache({ max: plan.maxUsers })
  }

  get counts(): { live: number; abandoned: number; queued: number } {
    return { live: this.#live, abandoned: this.#unfinished.size - this.#live, queued: this.#queued.size }
  }

  /** Joins the load under way or begins one; undefined when it is not worth waiting, or not allowed. */
  board(order: FlightOrder, waiter?: Waiter<Data>): Flight<Data> | undefined {
    if (this.#closed) return undefined
    const now = this.#plan.effects.monotonic()
    const current = this.#current.get(order.key)
    if (current !== undefined) {
      if (waiter === undefined) return current
      const patienceMs = Math.max(order.budgetMs ?? 0, this.#plan.overdueMs)
      if (current.place === 'live' && now - current.beganAt >= patienceMs) return undefined
      current.waiters.add(waiter)
      return current
    }
    if (this.#isPaused(order.key, now)) return undefined
    return this.#begin(order, waiter, now)
  }

  leave(flight: Flight<Data>, waiter: Waiter<Data>): void {
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
    for (const key of [userId, `${userId}\ncreate`, `${userId}\nreuse`]) this.#failures.delete(key)
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

  #begin(order: FlightOrder, waiter: Waiter<Data> | undefined, now: number): Flight<Data> | undefined {
    const mustWait = !this.#hasRoom(order.user.id) || this.#queued.size > 0
    const shed =
      mustWait && (waiter === undefined || this.#queued.size >= this.#plan.limits.maxQueued || this.#breaker.open)
    const pass = shed ? 'refused' : this.#breaker.pass(now)
    if (pass === 'refused') {
      this.#report('shed')
      return undefined
    }
    const flight: Flight<Data> = {
      key: order.key,
      user: order.user,
      mode: order.mode,
      insists: order.insists,
      waiters: new Set(waiter === undefined ? [] : [waiter]),
      abort: new AbortController(),
      place: 'queued',
      beganAt: now,
      outdated: false,
      probe: pass === 'probe',
      overdue: false,
      cancelAge: () => undefined,
    }
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

  #start(flight: Flight<Data>): void {
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

  #land(flight: Flight<Data>, data: Data): void {
    if (flight.place === 'over') return this.#report('dropped')
    const now = this.#plan.effects.monotonic()
    const isLate = flight.place === 'abandoned' || flight.overdue
    flight.probe = false
    this.#breaker.succeeded(now)
    if (flight.outdated) this.#report('dropped')
    else {
      this.#failures.delete(flight.key)
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

  #fail(flight: Flight<Data>): void {
    if (flight.place === 'over') return
    // Aborted by us: it says nothing about the source, and its age has been told already.
    if (!flight.abort.signal.aborted) this.#count(flight)
    this.#report('failed')
    this.#finish(flight)
    this.#tell(flight, undefined)
    this.#startQueued()
  }

  #becomeOverdue(flight: Flight<Data>): void {
    flight.overdue = true
    this.#count(flight)
    this.#ageTo(flight, flight.beganAt + Math.max(this.#plan.limits.flightAgeMs, this.#plan.overdueMs), () =>
      this.#giveUp(flight),
    )
  }

  /** Moves a flight that is too old out of the way, unless somebody still waits for it or there is no room. */
  #giveUp(flight: Flight<Data>): void {
    const { effects, limits, maxAbandoned } = this.#plan
    const now = effects.monotonic()
    const abandoned = this.#unfinished.size - this.#live
    if (flight.waiters.size > 0 || abandoned >= maxAbandoned) {
      // With places for the abandoned, one comes free in time; without, this flight keeps its own until it is written off.
      if (now - flight.beganAt < limits.flightAgeMs + limits.writeOffMs || flight.waiters.size > 0)
        return this.#ageTo(flight, now + limits.firstPauseMs, () => this.#giveUp(flight))
    }
    flight.place = 'abandoned'
    this.#live -= 1
    if (this.#current.get(flight.key) === flight) this.#current.delete(flight.key)
    this.#report('abandoned')
    this.#ageTo(flight, now + (abandoned >= maxAbandoned ? 0 : limits.writeOffMs), () => this.#finish(flight))
    flight.abort.abort(new Error('Given up: it took too long.'))
    this.#startQueued()
  }

  #ageTo(flight: Flight<Data>, at: number, run: () => void): void {
    const age = this.#plan.ages.add(at, run)
    flight.cancelAge = () => this.#plan.ages.remove(age)
  }

  /** Counts a failure, or a hang, once per flight: for its user and for the source. */
  #count(flight: Flight<Data>): void {
    const now = this.#plan.effects.monotonic()
    if (!flight.outdated) {
      const before = this.#failures.get(flight.key)
      const count = (before !== undefined && before.at > this.#breaker.healedAt ? before.count : 0) + 1
      this.#failures.set(flight.key, { count, at: now, until: now + pauseAfter(count, this.#pauses) })
    }
    const opened = this.#breaker.failed(now, flight.probe)
    flight.probe = false
    if (opened) this.#shedQueue()
  }

  #isPaused(key: string, now: number): boolean {
    const failures = this.#failures.get(key)
    return failures !== undefined && failures.at > this.#breaker.healedAt && now < failures.until
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

  #finish(flight: Flight<Data>): void {
    if (flight.place === 'live') this.#live -= 1
    flight.place = 'over'
    flight.cancelAge()
    // A probe that ends without an answer has not shown that the source is well.
    if (flight.probe) this.#breaker.failed(this.#plan.effects.monotonic(), true)
    this.#queued.delete(flight)
    this.#unfinished.delete(flight)
    if (this.#current.get(flight.key) === flight) this.#current.delete(flight.key)
  }

  #tell(flight: Flight<Data>, data: Data | undefined): void {
    const waiters = [...flight.waiters]
    flight.waiters.clear()
    for (const waiter of waiters) waiter.landed(flight, data)
  }

  #report(
    outcome: 'started' | 'loaded' | 'failed' | 'late' | 'abandoned' | 'dropped' | 'shed',
    queuedMs?: number,
  ): void {
    const { namespace, name } = this.#plan
    signal('flight', { namespace, source: name, outcome, ...(queuedMs === undefined ? {} : { queuedMs }) })
  }
}
