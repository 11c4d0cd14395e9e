import { sleep } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { Store } from '../storage/store.ts'

export interface Chaos {
  /** The same seed and the same calls give the same faults. */
  readonly seed: number
  /** Times the delays. */
  readonly effects: Effects
  /** Part of the calls that reject with `store_unavailable` and do nothing, 0 to 1. Default 0. */
  readonly fail?: number
  /** Part of the calls that are done and then reject with `store_unavailable` all the same: the answer is lost. Default 0. */
  readonly lose?: number
  /** Part of the calls that wait before they begin. Default 0. */
  readonly delay?: number
  /** Longest wait, ms. Default 100. */
  readonly maxDelayMs?: number
  /** Part of the news that listeners never get: delivery is at most once. Default 0. */
  readonly loseNews?: number
  /** Which calls are hit, by names like `users.commit`. Default: all. */
  readonly only?: (call: string) => boolean
}

export interface ChaosStore extends Store {
  /** What was done to calls and news so far. */
  readonly faults: { readonly failed: number; readonly lost: number; readonly delayed: number; readonly news: number }
  /** Leaves the calls alone from now on. */
  calm(): void
  /** Begins again. */
  rage(): void
}

const PARTS = ['fail', 'lose', 'delay', 'loseNews'] as const
const KNOWN: readonly string[] = ['seed', 'effects', ...PARTS, 'maxDelayMs', 'only']

function checkPart(name: string, part: unknown): void {
  if (part === undefined || (typeof part === 'number' && part >= 0 && part <= 1)) return
  throw new PurserError('argument_invalid', `'${name}' must be a part of the calls, from 0 to 1.`, {
    hint: 'For instance 0.1 for one call in ten.',
    details: { param: name },
  })
}

/** Answers at once and from memory, so there is nothing that could fail. */
const SYNCHRONOUS: ReadonlySet<string> = new Set(['answers.totals'])

/** A store that fails, loses and delays, to show that its users keep their promises. Starts calm: call `rage`. */
export function chaosStore(store: Store, chaos: Chaos): ChaosStore {
  validateOptions('chaosStore', chaos, KNOWN)
  for (const name of PARTS) checkPart(name, chaos[name])
  const { fail = 0, lose = 0, delay = 0, maxDelayMs = 100, loseNews = 0, only = () => true } = chaos
  const next = random(chaos.seed)
  const faults = { failed: 0, lost: 0, delayed: 0, news: 0 }
  let isRaging = false

  async function through<Result>(call: string, run: () => Promise<Result>): Promise<Result> {
    if (!isRaging || !only(call)) return run()
    // Drawn together, so that one fault does not change which the others are.
    const [failing, losing, delaying, length] = [next(), next(), next(), next()]
    if (delaying < delay) {
      faults.delayed++
      await sleep(chaos.effects, Math.ceil(length * maxDelayMs))
    }
    if (failing < fail) {
      faults.failed++
      throw unavailable(call, 'Nothing was done')
    }
    const result = await run()
    if (losing < lose) {
      faults.lost++
      throw unavailable(call, 'It was done, and the answer was lost')
    }
    return result
  }

  function wrap<Part extends object>(name: string, part: Part): Part {
    return new Proxy(part, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key)
        const call = `${name}.${String(key)}`
        if (typeof member !== 'function' || SYNCHRONOUS.has(call)) return member
        return (...given: unknown[]) => through(call, async () => Reflect.apply(member, target, given))
      },
    })
  }

  return {
    ...store,
    meta: wrap('meta', store.meta),
    users: wrap('users', store.users),
    events: wrap('events', store.events),
    answers: wrap('answers', store.answers),
    lastGood: wrap('lastGood', store.lastGood),
    bus: {
      publish: (message) => through('bus.publish', () => store.bus.publish(message)),
      subscribe: (listener) =>
        store.bus.subscribe((message) => {
          if (isRaging && next() < loseNews) faults.news++
          else listener(message)
        }),
    },
    faults,
    calm() {
      isRaging = false
    },
    rage() {
      isRaging = true
    },
  }
}

function unavailable(call: string, what: string): PurserError {
  return new PurserError('store_unavailable', `Chaos struck ${call}. ${what}.`)
}

/** Numbers from 0 to 1 that only depend on the seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
