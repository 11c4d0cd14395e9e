import type { AbortSignalLike } from './call-signal.ts'
import type { Effects } from './effects.ts'
import { validateOptions } from './validate.ts'

/** Options of every call that can be aborted. */
export interface AbortOptions {
  /** When it is aborted, the call rejects with `signal.reason`. */
  readonly signal?: AbortSignalLike | undefined
}

/** Validates the options of a call that takes only a signal, and makes it reject with the signal's reason. */
export async function withAbort<T>(call: string, options: AbortOptions | undefined, run: () => Promise<T>): Promise<T> {
  if (options === undefined) return run()
  validateOptions(call, options, [])
  return withSignal(run(), options.signal)
}

/**
 * Settles like `promise`, or rejects with the signal's reason once it is aborted. The work behind `promise` continues:
 * other callers may wait for it.
 */
export function withSignal<T>(promise: Promise<T>, signal: AbortSignalLike | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    const unwatch = (): void => signal.removeEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    promise.then(
      (value) => {
        unwatch()
        resolve(value)
      },
      (error) => {
        unwatch()
        reject(error)
      },
    )
  })
}

/** Yields the same items. Throws the signal's reason once it is aborted, also while the next item is pending. */
export async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignalLike | undefined): AsyncIterable<T> {
  const iterator = items[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await withSignal(iterator.next(), signal)
      if (next.done === true) return
      yield next.value
    }
  } finally {
    // Not awaited: a generator with a pending `next` returns only when that has settled.
    iterator.return?.().catch(() => undefined)
  }
}

/** Waits up to `limitMs`. Resolves to whether `promise` was fulfilled in time; rejects if it was rejected in time. */
export function endsWithin(effects: Effects, promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = effects.setTimer(() => resolve(false), limitMs)
    promise.then(() => resolve(true), reject).finally(cancel)
  })
}

/** Resolves after `delayMs`, or as soon as the signal is aborted. Never rejects. */
export function sleep(effects: Effects, delayMs: number, signal?: AbortSignalLike): Promise<void> {
  // The event of a signal that is aborted already does not come any more.
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const cancel = effects.setTimer(finish, delayMs)
    signal?.addEventListener('abort', finish, { once: true })
  })
}
