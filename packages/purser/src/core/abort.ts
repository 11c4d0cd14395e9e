import type { Effects } from './effects.ts'
import { validateOptions } from './validate.ts'

/** Waits for `promise`, or rejects with the signal's reason. What is waited for goes on for the others. */
export function withSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason)
    if (signal.aborted) {
      leave()
      promise.catch(() => undefined)
      return
    }
    signal.addEventListener('abort', leave, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}

/** The same items, until the signal is aborted: then it rejects with its reason, also while the next one is awaited. */
export async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncIterable<T> {
  const iterator = items[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await withSignal(iterator.next(), signal)
      if (next.done === true) return
      yield next.value
    }
  } finally {
    // Not waited for: a source that is busy hears of it when it is done.
    iterator.return?.().catch(() => undefined)
  }
}

/** Waits for `promise` for `limitMs` at most; resolves to whether it was in time. Rejects as `promise` does. */
export function endsWithin(effects: Effects, promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = effects.setTimer(() => resolve(false), limitMs)
    promise.then(() => resolve(true), reject).finally(cancel)
  })
}

/** Resolves after `delayMs`, or as soon as the signal is aborted. */
export function sleep(effects: Effects, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = effects.setTimer(done, delayMs)
    signal?.addEventListener('abort', done, { once: true })
  })
}

/** What every call that waits takes. */
export interface AbortOptions {
  /** A call whose signal is aborted rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** For calls that take nothing but a signal, and do not heed it by themselves. */
export async function withAbort<T>(call: string, options: AbortOptions | undefined, run: () => Promise<T>): Promise<T> {
  if (options === undefined) return run()
  validateOptions(call, options, [])
  return withSignal(run(), options.signal)
}
