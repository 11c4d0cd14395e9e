import type { Effects } from '../effects.ts'
import { PurserError } from '../errors.ts'
import type { Subject } from '../identity.ts'
import type { RuntimeOptions } from '../options.ts'
import { signal } from '../signals.ts'
import { withinTime, withSignal } from '../waiting.ts'
import type { Farewell } from './closings.ts'
import type { Facts } from './facts.ts'
import { IdleQueue } from './idle-queue.ts'
import { RuntimeLease } from './lease.ts'
import { type LiveHouse, LiveRuntime, type Plan } from './live.ts'
import type { ActiveRuntime, Lease, Override, SettingsFields } from './port.ts'

/** How often an acquisition begins again because its runtime was ended under it. */
const ATTEMPTS_MAX = 8

export interface Wish {
  readonly session?: string | undefined
  readonly override?: Override | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * All live runtimes. At most one per user is given out; one that was evicted stays until its last lease ends.
 * Looking at them is not using them: only a lease that ends starts the idle clock anew.
 */
export interface Fleet {
  acquire(user: Subject, key: string, wish: Wish): Promise<Lease>
  /** Without a key: everybody's. */
  invalidate(key: string | undefined, kinds?: readonly string[]): void
  /** Reads again what is live, so that clients which no longer fit go now and not at the next use. */
  refresh(key: string): void
  /** What is known of a live user without asking the store; looking is not a use. */
  factsOf(key: string): Facts | undefined
  evict(key: string): Promise<void>
  forget(key: string): Promise<void>
  active(): ActiveRuntime[]
  sweep(): Promise<{ evicted: number }>
  /** Takes no new work, waits for the leases that are out, then cuts those that still are. */
  close(timeoutMs: number): Promise<void>
}

export interface FleetHouse extends Omit<LiveHouse, 'erased'> {
  readonly effects: Effects
  readonly options: Pick<RuntimeOptions, 'idleMs' | 'mcpIdleMs' | 'maxLive'>
  /** A session was used on something it had not run on, or for the first time in an hour. */
  noteUse(live: LiveRuntime, session: string, use: Pick<SettingsFields, 'provider' | 'model'>): void
}

export function createFleet(house: FleetHouse): Fleet {
  const { effects, namespace, options } = house
  const lives = new Map<string, LiveRuntime>()
  /** Those without a lease, in the order in which their last one ended. */
  const idle = new IdleQueue<LiveRuntime>()
  /** `lives`, and those that were let go of but are still leased. */
  const all = new Set<LiveRuntime>()
  const liveHouse: LiveHouse = { ...house, erased: (live) => void end(live, 'erased') }
  let isClosed = false
  let allReturned: () => void = () => undefined

  function enter(live: LiveRuntime): void {
    if (live.leases++ === 0) idle.remove(live)
  }

  function leave(live: LiveRuntime): void {
    if (--live.leases > 0) return
    live.idleSince = effects.monotonic()
    if (live.fate !== undefined) {
      all.delete(live)
      void live.retireAll(live.fate === 'closed' ? 'shutdown' : live.fate)
    } else if (live.isKnown) idle.add(live)
    else drop(live)
    if (isClosed && !all.values().some(isWaitedFor)) allReturned()
  }

  function drop(live: LiveRuntime): void {
    if (lives.get(live.key) === live) lives.delete(live.key)
    idle.remove(live)
    if (live.leases === 0) all.delete(live)
  }

  /** Gives a runtime to nobody any more. Its clients close as soon as they are not held; at once when cut. */
  async function end(live: LiveRuntime, fate: 'evicted' | 'erased' | 'closed', reason?: Farewell): Promise<void> {
    const farewell = reason ?? (fate === 'closed' ? 'shutdown' : fate)
    if (live.fate === undefined) signal('runtime', { namespace, outcome: 'evicted', reason: farewell })
    if (live.fate === undefined || fate !== 'evicted') live.fate = fate
    drop(live)
    await (fate === 'evicted' ? live.retireAll(farewell) : live.cutAll(farewell))
  }

  function settle(user: Subject, key: string): LiveRuntime {
    if (all.size >= options.maxLive) makeRoom()
    const live = new LiveRuntime(liveHouse, user)
    lives.set(key, live)
    all.add(live)
    return live
  }

  function makeRoom(): void {
    if (idle.first !== undefined) {
      void end(idle.first, 'evicted', 'crowded')
      return
    }
    throw new PurserError('runtime_busy', `All ${options.maxLive} places for live runtimes are in use.`, {
      hint: 'Try again, or raise runtime.maxLive.',
    })
  }

  function leaseOn(live: LiveRuntime, plan: Plan): Lease {
    const use = live.useOfSession(plan)
    if (use !== undefined && plan.session !== undefined) house.noteUse(live, plan.session.id, use)
    return new RuntimeLease(live, plan, leave)
  }

  /** Undefined when the runtime was ended meanwhile, and another one has to be made. */
  async function tryAcquire(user: Subject, key: string, wish: Wish): Promise<Lease | undefined> {
    const live = lives.get(key) ?? settle(user, key)
    const { session: id, override } = wish
    enter(live)
    try {
      await withSignal(live.refresh(), wish.signal)
      const session = id === undefined || wasErased(live) ? undefined : await withSignal(live.session(id), wish.signal)
      requireOpen(live)
      if (!wasErased(live)) return leaseOn(live, live.plan(session, override))
    } catch (error) {
      leave(live)
      throw error
    }
    leave(live)
    return undefined
  }

  function requireOpen(live?: LiveRuntime): void {
    if (isClosed || live?.fate === 'closed') throw new PurserError('closed', 'This Purser has been closed.')
  }

  return {
    async acquire(user, key, wish) {
      requireOpen()
      wish.signal?.throwIfAborted()
      if (wish.session === undefined && wish.override === undefined) {
        const live = lives.get(key)
        const plan = live?.warmPlan()
        if (live !== undefined && plan !== undefined) {
          enter(live)
          signal('runtime', { namespace, outcome: 'warm' })
          return new RuntimeLease(live, plan, leave)
        }
      }
      try {
        for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
          const lease = await tryAcquire(user, key, wish)
          if (lease === undefined) continue
          signal('runtime', { namespace, outcome: 'cold' })
          return lease
        }
      } catch (error) {
        signal('runtime', { namespace, outcome: 'refused', reason: PurserError.is(error) ? error.code : 'aborted' })
        throw error
      }
      throw new PurserError('runtime_busy', 'The runtime kept changing during this call.', { hint: 'Try again.' })
    },

    invalidate(key, kinds) {
      if (key !== undefined) lives.get(key)?.invalidate(kinds)
      else for (const live of lives.values()) live.invalidate(kinds)
    },

    refresh(key) {
      const live = lives.get(key)
      if (live?.isKnown) live.refresh().catch(() => undefined)
    },

    factsOf: (key) => lives.get(key)?.facts,

    async evict(key) {
      const live = lives.get(key)
      if (live !== undefined) await end(live, 'evicted')
    },

    async forget(key) {
      await Promise.all([...all].filter((live) => live.key === key).map((live) => end(live, 'erased')))
    },

    active: () => [...all].map((live) => live.look()),

    async sweep() {
      const now = effects.monotonic()
      const ending: Promise<void>[] = []
      while (idle.first !== undefined && now - idle.first.idleSince > options.idleMs) {
        ending.push(end(idle.first, 'evicted', 'idle'))
      }
      await Promise.all([...ending, house.desk.sweep(options.mcpIdleMs)])
      return { evicted: ending.length }
    },

    async close(timeoutMs) {
      isClosed = true
      const returned = new Promise<void>((resolve) => {
        allReturned = resolve
      })
      if (all.values().some(isWaitedFor)) await withinTime(effects, returned, timeoutMs)
      await Promise.all([...all].map((live) => end(live, 'closed')))
      await house.closings.settled()
    },
  }
}

/** Leases that were cut already keep nobody from closing. */
function isWaitedFor(live: LiveRuntime): boolean {
  return live.leases > 0 && !wasErased(live)
}

function wasErased(live: LiveRuntime): boolean {
  return live.fate === 'erased'
}
