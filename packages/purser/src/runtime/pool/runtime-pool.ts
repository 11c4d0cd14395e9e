import { endsWithin, withSignal } from '../../core/abort.ts'
import { publish } from '../../core/diagnostics.ts'
import type { Effects } from '../../core/effects.ts'
import type { Subject } from '../../core/subject.ts'
import { PurserError, purserClosed } from '../../errors.ts'
import type { RuntimeOptions } from '../../options.ts'
import type { ActiveRuntime, Lease, Override, SettingsFields } from '../api.ts'
import { RuntimeLease } from '../lease.ts'
import type { StoredRuntime } from '../stored-runtime.ts'
import type { CloseReason } from './graceful-close.ts'
import { IdleQueue } from './idle-queue.ts'
import { type Fate, LiveRuntime, type LiveRuntimeDeps, type Plan } from './live-runtime.ts'

/** How often an acquisition begins again because its runtime was ended under it. */
const ATTEMPTS_MAX = 8

export interface AcquireRequest {
  readonly session?: string | undefined
  readonly override?: Override | undefined
  readonly signal?: AbortSignal | undefined
}

export interface RuntimePoolDeps extends Omit<LiveRuntimeDeps, 'erased'> {
  readonly effects: Effects
  readonly options: Pick<RuntimeOptions, 'idleMs' | 'mcpIdleMs' | 'maxLeaseMs' | 'maxLive'>
  /** A session was used on something it had not run on, or for the first time in an hour. */
  noteUse(live: LiveRuntime, session: string, use: Pick<SettingsFields, 'provider' | 'model'>): void
}

/**
 * All live runtimes. At most one per user is given out; one that was evicted stays until its last lease ends.
 * Looking at them is not using them: only a lease that ends starts the idle clock anew.
 */
export class RuntimePool {
  readonly #house: RuntimePoolDeps
  readonly #liveHouse: LiveRuntimeDeps
  readonly #lives = new Map<string, LiveRuntime>()
  /** Those without a lease, in the order in which their last one ended. */
  readonly #idle = new IdleQueue<LiveRuntime>()
  /** Those in `#lives`, and those that were let go of but are still leased. */
  readonly #all = new Set<LiveRuntime>()
  /** Leases that are out, with the monotonic instant of each, oldest first. */
  readonly #out = new Map<RuntimeLease, number>()
  readonly #allReturned = Promise.withResolvers<void>()
  #isClosed = false

  constructor(house: RuntimePoolDeps) {
    this.#house = house
    this.#liveHouse = { ...house, erased: (live) => void this.#end(live, 'erased') }
  }

  async acquire(user: Subject, key: string, wish: AcquireRequest): Promise<Lease> {
    this.#requireOpen()
    wish.signal?.throwIfAborted()
    const { namespace } = this.#house
    const warm = wish.session === undefined && wish.override === undefined ? this.#warmLease(key) : undefined
    if (warm !== undefined) {
      publish('runtime', { namespace, outcome: 'warm' })
      return warm
    }
    try {
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        const lease = await this.#tryAcquire(user, key, wish)
        if (lease === undefined) continue
        publish('runtime', { namespace, outcome: 'cold' })
        return lease
      }
    } catch (error) {
      publish('runtime', { namespace, outcome: 'refused', reason: PurserError.is(error) ? error.code : 'aborted' })
      throw error
    }
    throw new PurserError('runtime_busy', 'The runtime kept changing during this call.', { hint: 'Try again.' })
  }

  /** What was read of this user may be old; without a key, of everybody. */
  invalidate(key: string | undefined, kinds?: readonly string[]): void {
    if (key !== undefined) this.#lives.get(key)?.invalidate(kinds)
    else for (const live of this.#lives.values()) live.invalidate(kinds)
  }

  /** Reads again what is live, so that clients which no longer fit go now and not at the next use. */
  refresh(key: string): void {
    const live = this.#lives.get(key)
    if (live?.isKnown) live.refresh().catch(() => undefined)
  }

  /** What is known of a live user without asking the store; looking is not a use. */
  factsOf(key: string): StoredRuntime | undefined {
    return this.#lives.get(key)?.facts
  }

  async evict(key: string): Promise<void> {
    const live = this.#lives.get(key)
    if (live !== undefined) await this.#end(live, 'evicted')
  }

  async forget(key: string): Promise<void> {
    const theirs = [...this.#all].filter((live) => live.key === key)
    await Promise.all(theirs.map((live) => this.#end(live, 'erased')))
  }

  active(): ActiveRuntime[] {
    return [...this.#all].map((live) => live.look())
  }

  async sweep(): Promise<{ evicted: number }> {
    const { effects, options, desk } = this.#house
    const now = effects.monotonic()
    this.#takeBack(now - options.maxLeaseMs)
    const ending: Promise<void>[] = []
    for (let live = this.#idle.first; live !== undefined; live = this.#idle.first) {
      if (now - live.idleSince <= options.idleMs) break
      ending.push(this.#end(live, 'evicted', 'idle'))
    }
    await Promise.all([...ending, desk.sweep(options.mcpIdleMs)])
    return { evicted: ending.length }
  }

  /** Takes no new work, waits for the leases that are out, then cuts those that still are. */
  async close(timeoutMs: number): Promise<void> {
    const { effects, closings } = this.#house
    this.#isClosed = true
    if (this.#all.values().some(isWaitedFor)) await endsWithin(effects, this.#allReturned.promise, timeoutMs)
    await Promise.all([...this.#all].map((live) => this.#end(live, 'closed')))
    await closings.settled()
  }

  #warmLease(key: string): Lease | undefined {
    const live = this.#lives.get(key)
    const plan = live?.warmPlan()
    if (live === undefined || plan === undefined) return undefined
    this.#enter(live)
    return this.#lend(live, plan)
  }

  /** Undefined when the runtime was ended meanwhile, and another one has to be made. */
  async #tryAcquire(user: Subject, key: string, wish: AcquireRequest): Promise<Lease | undefined> {
    const live = this.#lives.get(key) ?? this.#settle(user, key)
    const { session: id, override } = wish
    this.#enter(live)
    try {
      await withSignal(live.refresh(), wish.signal)
      const session = id === undefined || wasErased(live) ? undefined : await withSignal(live.session(id), wish.signal)
      this.#requireOpen()
      if (!wasErased(live)) return this.#leaseOn(live, live.plan(session, override))
    } catch (error) {
      this.#leave(live)
      throw error
    }
    this.#leave(live)
    return undefined
  }

  #leaseOn(live: LiveRuntime, plan: Plan): Lease {
    const use = live.useOfSession(plan)
    if (use !== undefined && plan.session !== undefined) this.#house.noteUse(live, plan.session.id, use)
    return this.#lend(live, plan)
  }

  #lend(live: LiveRuntime, plan: Plan): Lease {
    const lease = new RuntimeLease(live, plan, this.#return)
    this.#out.set(lease, this.#house.effects.monotonic())
    return lease
  }

  readonly #return = (lease: RuntimeLease, live: LiveRuntime): void => {
    this.#out.delete(lease)
    this.#leave(live)
  }

  /** Leases from before `oldest`: whoever forgot them must not keep clients open for ever. */
  #takeBack(oldest: number): void {
    for (const [lease, since] of this.#out) {
      if (since >= oldest) return
      publish('runtime', { namespace: this.#house.namespace, outcome: 'overdue' })
      lease.takeBack()
    }
  }

  #enter(live: LiveRuntime): void {
    if (live.leases++ === 0) this.#idle.remove(live)
  }

  readonly #leave = (live: LiveRuntime): void => {
    if (--live.leases > 0) return
    live.idleSince = this.#house.effects.monotonic()
    if (live.fate !== undefined) {
      this.#all.delete(live)
      void live.retireAll(farewellOf(live.fate))
    } else if (live.isKnown) this.#idle.add(live)
    else this.#drop(live)
    if (this.#isClosed && !this.#all.values().some(isWaitedFor)) this.#allReturned.resolve()
  }

  #settle(user: Subject, key: string): LiveRuntime {
    if (this.#all.size >= this.#house.options.maxLive) this.#makeRoom()
    const live = new LiveRuntime(this.#liveHouse, user)
    this.#lives.set(key, live)
    this.#all.add(live)
    return live
  }

  #makeRoom(): void {
    if (this.#idle.first !== undefined) {
      void this.#end(this.#idle.first, 'evicted', 'crowded')
      return
    }
    throw new PurserError('runtime_busy', `All ${this.#house.options.maxLive} places for live runtimes are in use.`, {
      hint: 'Try again, or raise runtime.maxLive.',
    })
  }

  /** Gives a runtime to nobody any more. Its clients close as soon as they are not held; at once when cut. */
  async #end(live: LiveRuntime, fate: Fate, farewell: CloseReason = farewellOf(fate)): Promise<void> {
    const { namespace } = this.#house
    if (live.fate === undefined) publish('runtime', { namespace, outcome: 'evicted', reason: farewell })
    if (live.fate === undefined || fate !== 'evicted') live.fate = fate
    this.#drop(live)
    await (fate === 'evicted' ? live.retireAll(farewell) : live.cutAll(farewell))
  }

  #drop(live: LiveRuntime): void {
    if (this.#lives.get(live.key) === live) this.#lives.delete(live.key)
    this.#idle.remove(live)
    if (live.leases === 0) this.#all.delete(live)
  }

  #requireOpen(): void {
    if (this.#isClosed) throw purserClosed()
  }
}

function farewellOf(fate: Fate): CloseReason {
  return fate === 'closed' ? 'shutdown' : fate
}

/** Leases that were cut already keep nobody from closing. */
function isWaitedFor(live: LiveRuntime): boolean {
  return live.leases > 0 && !wasErased(live)
}

function wasErased(live: LiveRuntime): boolean {
  return live.fate === 'erased'
}
