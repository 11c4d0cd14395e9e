import { sleep } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import { throwInvalid, validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { Store } from '../storage/store.ts'

/** The faults of a `chaosStore`. Rates are fractions of the calls, 0 to 1. */
export interface ChaosOptions {
  /** The same seed and the same calls inject the same faults. */
  readonly seed: number
  /** The clock of the delays. */
  readonly effects: Effects
  /** Rate of calls that reject with `store_unavailable` and do nothing. Default 0. */
  readonly fail?: number
  /** Rate of calls that are done and still reject with `store_unavailable`, as if the reply was lost. Default 0. */
  readonly lose?: number
  /** Rate of calls that are delayed before they begin. Default 0. */
  readonly delay?: number
  /** Longest delay, ms. Default 100. */
  readonly maxDelayMs?: number
  /** Rate of bus messages that a listener does not receive: delivery is at most once. Default 0. */
  readonly dropMessages?: number
  /** Selects the calls that faults are injected into, by names such as `users.commit`. Default: all. */
  readonly only?: (call: string) => boolean
}

export interface ChaosStore extends Store {
  /** The faults injected so far. */
  readonly faults: {
    readonly failed: number
    readonly lost: number
    readonly delayed: number
    readonly droppedMessages: number
  }
  /** Injects faults from now on. */
  enable(): void
  /** Passes all calls through unchanged from now on. */
  disable(): void
}

const RATES = ['fail', 'lose', 'delay', 'dropMessages'] as const
const OPTIONS: readonly string[] = ['seed', 'effects', ...RATES, 'maxDelayMs', 'only']

function validateRate(name: string, rate: unknown): void {
  if (rate === undefined || (typeof rate === 'number' && rate >= 0 && rate <= 1)) return
  throwInvalid(`'${name}' must be a number from 0 to 1.`, { name, hint: 'Example: 0.1 for one call in ten.' })
}

/** Synchronous calls answer from memory and cannot fail. */
const SYNCHRONOUS: ReadonlySet<string> = new Set(['answers.totals'])

/**
 * Wraps a store so that its calls fail, lose their replies or are delayed, to test the code that uses it. Disabled at
 * first: call `enable`.
 *
 * @returns The wrapped store. `close`, `backup` and `traits` are those of `store`.
 * @throws {PurserError} `option_unknown` for an unknown option, `argument_invalid` for a rate that is not from 0 to 1.
 * @example
 * ```ts
 * const store = chaosStore(inner, { seed: 1, effects: handClock(), fail: 0.1, only: (call) => call === 'users.commit' })
 * store.enable()
 * ```
 */
export function chaosStore(store: Store, options: ChaosOptions): ChaosStore {
  validateOptions('chaosStore', options, OPTIONS)
  for (const name of RATES) validateRate(name, options[name])
  const { fail = 0, lose = 0, delay = 0, maxDelayMs = 100, dropMessages = 0, only = () => true } = options
  const next = createRandom(options.seed)
  const faults = { failed: 0, lost: 0, delayed: 0, droppedMessages: 0 }
  let isEnabled = false

  async function inject<Result>(call: string, run: () => Promise<Result>): Promise<Result> {
    if (!isEnabled || !only(call)) return run()
    // Drawn together, so that one fault does not change which the others are.
    const [failing, losing, delaying, length] = [next(), next(), next(), next()]
    if (delaying < delay) {
      faults.delayed++
      await sleep(options.effects, Math.ceil(length * maxDelayMs))
    }
    if (failing < fail) {
      faults.failed++
      throw unavailable(call, 'the call was not made')
    }
    const result = await run()
    if (losing < lose) {
      faults.lost++
      throw unavailable(call, 'the call was made, its reply is lost')
    }
    return result
  }

  function wrap<Part extends object>(name: string, part: Part): Part {
    return new Proxy(part, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key)
        const call = `${name}.${String(key)}`
        if (typeof member !== 'function' || SYNCHRONOUS.has(call)) return member
        return (...args: unknown[]) => inject(call, async () => Reflect.apply(member, target, args))
      },
    })
  }

  return {
    ...store,
    meta: wrap('meta', store.meta),
    users: wrap('users', store.users),
    events: wrap('events', store.events),
    turns: wrap('turns', store.turns),
    sums: wrap('sums', store.sums),
    answers: wrap('answers', store.answers),
    lastGood: wrap('lastGood', store.lastGood),
    instances: wrap('instances', store.instances),
    bus: {
      publish: (message) => inject('bus.publish', () => store.bus.publish(message)),
      subscribe: (listener) =>
        store.bus.subscribe((message) => {
          if (isEnabled && next() < dropMessages) faults.droppedMessages++
          else listener(message)
        }),
    },
    faults,
    enable() {
      isEnabled = true
    },
    disable() {
      isEnabled = false
    },
  }
}

function unavailable(call: string, what: string): PurserError {
  return new PurserError('store_unavailable', `Injected fault in ${call}: ${what}.`)
}

/** Pseudo-random numbers from 0 to 1 that depend on the seed only (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
