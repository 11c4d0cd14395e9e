import type { Effects } from './effects.ts'

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

/** Waits for `promise` for `limitMs` at most; resolves to whether it was in time. Rejects as `promise` does. */
export function withinTime(effects: Effects, promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = effects.setTimer(() => resolve(false), limitMs)
    promise.then(() => resolve(true), reject).finally(cancel)
  })
}
