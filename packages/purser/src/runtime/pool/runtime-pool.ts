import { endsWithin, withSignal } from '../../core/abort.ts'
import { hasSubscribers, publish } from '../../core/diagnostics.ts'
import type { Effects } from '../../core/effects.ts'
import { LinkedQueue, type QueueNode } from '../../core/linked-queue.ts'
import type { Subject } from '../../core/subject.ts'
import { PurserError, purserClosed } from '../../errors.ts'
import type { RuntimeOptions } from '../../options.ts'
import type { AcquireOptions, ActiveRuntime, Lease } from '../api.ts'
import { RuntimeLease } from '../lease.ts'
import type { StoredRuntime } from '../repository.ts'
import type { CloseReason, GracefulClose } from './graceful-close.ts'
import type { LiveRuntime, RuntimeCloseReason, RuntimeSnapshot } from './live-runtime.ts'
import type { McpConnectionPool } from './mcp-connection-pool.ts'

/** How often `acquire` starts again because its runtime was closed meanwhile. */
const ATTEMPTS_MAX = 8

export interface RuntimePoolDeps {
  readonly namespace: string
  readonly effects: Effects
  readonly options: Pick<RuntimeOptions, 'idleMs' | 'mcpIdleMs' | 'maxLeaseMs' | 'maxLive'>
  readonly gracefulClose: GracefulClose
  readonly mcp: McpConnectionPool
  createRuntime(user: Subject, onErased: (runtime: LiveRuntime) => void): LiveRuntime
}

/** A lease that is not released. */
class HeldLease implements QueueNode<HeldLease> {
  isQueued = false
  previous: HeldLease | undefined
  next: HeldLease | undefined
  lease: RuntimeLease | undefined
  /** Monotonic ms. */
  readonly acquiredAt: number

  constructor(acquiredAt: number) {
    this.acquiredAt = acquiredAt
  }
}

/**
 * All live runtimes. A user has at most one that new leases get; an evicted one stays until its last lease ends. Only
 * the end of a lease restarts the idle time of a runtime.
 */
export class RuntimePool {
  readonly #deps: RuntimePoolDeps
  /** The runtimes that new leases get, by `subjectKey`. */
  readonly #current = new Map<string, LiveRuntime>()
  /** Runtimes without a lease, in the order in which their last one ended. */
  readonly #idle = new LinkedQueue<LiveRuntime>()
  /** The runtimes in `#current`, and evicted ones that are still leased. */
  readonly #all = new Set<LiveRuntime>()
  /** Oldest first. */
  readonly #leases = new LinkedQueue<HeldLease>()
  readonly #allReleased = Promise.withResolvers<void>()
  #isClosed = false

  constructor(deps: RuntimePoolDeps) {
    this.#deps = deps
  }

  /** `key`: the `subjectKey` of the user. */
  async acquire(user: Subject, key: string, options: AcquireOptions): Promise<Lease> {
    this.requireOpen()
    options.signal?.throwIfAborted()
    const { namespace } = this.#deps
    const isBase = options.session === undefined && options.override === undefined
    const warm = isBase ? this.acquireWarm(key) : undefined
    if (warm !== undefined) return warm
    try {
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        const lease = await this.#tryAcquire(user, key, options)
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

  /** A lease without session and override, when it needs no I/O and no waiting. */
  acquireWarm(key: string): Lease | undefined {
    this.requireOpen()
    const runtime = this.#current.get(key)
    const snapshot = runtime?.getWarmSnapshot()
    if (runtime === undefined || snapshot === undefined) return undefined
    this.#countLease(runtime)
    if (hasSubscribers('runtime')) publish('runtime', { namespace: this.#deps.namespace, outcome: 'warm' })
    return this.#createLease(runtime, snapshot)
  }

  requireOpen(): void {
    if (this.#isClosed) throw purserClosed()
  }

  /** Marks what was read of this user as outdated; of all users without a key. `kinds`: the records that changed. */
  invalidate(key: string | undefined, kinds?: readonly string[]): void {
    if (key !== undefined) this.#current.get(key)?.invalidate(kinds)
    else for (const runtime of this.#current.values()) runtime.invalidate(kinds)
  }

  /** Invalidates a live runtime and reads it again, so that clients which no longer match are retired now. */
  reload(key: string, kind: string): void {
    const runtime = this.#current.get(key)
    runtime?.invalidate([kind])
    if (runtime?.isLoaded) runtime.refresh().catch(() => undefined)
  }

  /** What is known of a live user without reading the store. Not a use. */
  peek(key: string): StoredRuntime | undefined {
    return this.#current.get(key)?.stored
  }

  /** What was read of a live user last, if it may be used while the store fails. */
  peekStale(key: string): StoredRuntime | undefined {
    return this.#current.get(key)?.stale
  }

  async evict(key: string): Promise<void> {
    const runtime = this.#current.get(key)
    if (runtime !== undefined) await this.#close(runtime, 'evicted')
  }

  /** After an erasure: closes every runtime of the user, leased ones included. */
  async forget(key: string): Promise<void> {
    const runtimes = [...this.#all].filter((runtime) => runtime.key === key)
    await Promise.all(runtimes.map((runtime) => this.#close(runtime, 'erased')))
  }

  active(): ActiveRuntime[] {
    return [...this.#all].map((runtime) => runtime.describe())
  }

  async sweep(): Promise<{ evicted: number }> {
    const { effects, options, mcp } = this.#deps
    const now = effects.monotonic()
    this.#revokeLeases(now - options.maxLeaseMs)
    const closing: Promise<void>[] = []
    for (let runtime = this.#idle.first; runtime !== undefined; runtime = this.#idle.first) {
      if (now - runtime.idleSince <= options.idleMs) break
      closing.push(this.#close(runtime, 'evicted', 'idle'))
    }
    await Promise.all([...closing, mcp.sweep(options.mcpIdleMs)])
    return { evicted: closing.length }
  }

  /** Accepts no more calls, waits up to `timeoutMs` for leases, then closes every client. */
  async close(timeoutMs: number): Promise<void> {
    const { effects, gracefulClose } = this.#deps
    this.#isClosed = true
    if (this.#all.values().some(blocksClosing)) await endsWithin(effects, this.#allReleased.promise, timeoutMs)
    await Promise.all([...this.#all].map((runtime) => this.#close(runtime, 'shutdown')))
    await gracefulClose.settled()
  }

  /** Undefined when the runtime was erased meanwhile, and another one has to be created. */
  async #tryAcquire(user: Subject, key: string, options: AcquireOptions): Promise<Lease | undefined> {
    const runtime = this.#current.get(key) ?? this.#createRuntime(user, key)
    const { session: id, override, signal } = options
    this.#countLease(runtime)
    try {
      await withSignal(runtime.refresh(), signal)
      const session =
        id === undefined || wasErased(runtime) ? undefined : await withSignal(runtime.loadSession(id), signal)
      this.requireOpen()
      if (!wasErased(runtime)) {
        const snapshot = runtime.createSnapshot(session, override)
        runtime.recordSessionUse(snapshot)
        return this.#createLease(runtime, snapshot)
      }
    } catch (error) {
      this.#uncountLease(runtime)
      throw error
    }
    this.#uncountLease(runtime)
    return undefined
  }

  #createLease(runtime: LiveRuntime, snapshot: RuntimeSnapshot): Lease {
    const held = new HeldLease(this.#deps.effects.monotonic())
    held.lease = new RuntimeLease(runtime, snapshot, () => {
      this.#leases.remove(held)
      this.#uncountLease(runtime)
    })
    this.#leases.add(held)
    return held.lease
  }

  readonly #onErased = (runtime: LiveRuntime): void => void this.#close(runtime, 'erased')

  /** Revokes leases acquired before `oldest`: a lease that is never released must not keep its clients open. */
  #revokeLeases(oldest: number): void {
    for (let held = this.#leases.first; held !== undefined && held.acquiredAt < oldest; held = this.#leases.first) {
      publish('runtime', { namespace: this.#deps.namespace, outcome: 'overdue' })
      held.lease?.revoke()
    }
  }

  #countLease(runtime: LiveRuntime): void {
    if (runtime.leases++ === 0) this.#idle.remove(runtime)
  }

  #uncountLease(runtime: LiveRuntime): void {
    if (--runtime.leases > 0) return
    runtime.idleSince = this.#deps.effects.monotonic()
    if (runtime.closeReason !== undefined) {
      this.#all.delete(runtime)
      void runtime.retireClients(runtime.closeReason)
    } else if (runtime.isLoaded) this.#idle.add(runtime)
    else this.#remove(runtime)
    if (this.#isClosed && !this.#all.values().some(blocksClosing)) this.#allReleased.resolve()
  }

  #createRuntime(user: Subject, key: string): LiveRuntime {
    if (this.#all.size >= this.#deps.options.maxLive) this.#evictLongestIdle()
    const runtime = this.#deps.createRuntime(user, this.#onErased)
    this.#current.set(key, runtime)
    this.#all.add(runtime)
    return runtime
  }

  #evictLongestIdle(): void {
    if (this.#idle.first !== undefined) {
      void this.#close(this.#idle.first, 'evicted', 'capacity')
      return
    }
    throw new PurserError('runtime_busy', `The runtime pool is full: ${this.#deps.options.maxLive} are in use.`, {
      hint: 'Try again, or raise runtime.maxLive.',
    })
  }

  /** Gives the runtime to no new lease. An evicted one closes its clients when they are unused, the others at once. */
  async #close(runtime: LiveRuntime, reason: RuntimeCloseReason, clientReason: CloseReason = reason): Promise<void> {
    const { namespace } = this.#deps
    if (runtime.closeReason === undefined) publish('runtime', { namespace, outcome: 'evicted', reason: clientReason })
    if (runtime.closeReason === undefined || reason !== 'evicted') runtime.closeReason = reason
    this.#remove(runtime)
    await (reason === 'evicted' ? runtime.retireClients(clientReason) : runtime.destroyClients(clientReason))
  }

  #remove(runtime: LiveRuntime): void {
    if (this.#current.get(runtime.key) === runtime) this.#current.delete(runtime.key)
    this.#idle.remove(runtime)
    if (runtime.leases === 0) this.#all.delete(runtime)
  }
}

/** Leases on an erased runtime have been cut already. */
function blocksClosing(runtime: LiveRuntime): boolean {
  return runtime.leases > 0 && !wasErased(runtime)
}

function wasErased(runtime: LiveRuntime): boolean {
  return runtime.closeReason === 'erased'
}
