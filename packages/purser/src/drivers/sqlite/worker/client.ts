import { Worker } from 'node:worker_threads'
import { afterCurrentTick, systemEffects } from '../../../core/effects.ts'
import { PurserError, storeClosed } from '../../../errors.ts'
import { isForReadingOnly, toStoreError } from '../errors.ts'

/*
 * Work on a thread and a connection of its own, so that neither a long read nor a slow disk holds up anybody.
 *
 * Calls go out in parcels. While the thread is busy they gather, and leave with its next answer; or earlier, as soon as
 * there are enough for a parcel, so that this thread decides while the other one writes. When answers take long, what
 * they wait for is the disk: then it is better that as many as possible share the next flush.
 */

/** Calls to functions on another thread; what they are given and what they give is copied. */
export interface WorkerClient<Calls extends WorkerCalls<Calls>> {
  /** Rejects like the function does, with `closed`, or with `store_unavailable` when the thread ends or is overrun. */
  call<Name extends keyof Calls>(
    name: Name,
    ...given: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>>
  /** The same without gathering: the thread's next answer may have to wait for this call. */
  callAtOnce: WorkerClient<Calls>['call']
  /** Whether anything was asked of it: before that there is no thread. */
  readonly isUsed: boolean
  /** Ends the thread; calls under way are rejected. */
  close(): Promise<void>
}

export type WorkerCalls<Calls> = { readonly [Name in keyof Calls]: (...given: never[]) => unknown }

/** What goes to the thread, in parcels. Lists, because they are copied much faster than objects with names. */
export type WorkerRequest = readonly [id: number, call: string, given: readonly unknown[]]

/** What comes back, in parcels. */
export type WorkerReply =
  | readonly [id: number, result: unknown]
  | readonly [id: number, result: null, error: SerializedError]

/** An error as it crosses between threads. */
export interface SerializedError {
  readonly message: string
  /** Of a `PurserError`. */
  readonly code?: PurserError['code'] | undefined
  readonly hint?: string | undefined
  /** SQLite's own. */
  readonly errcode?: number | undefined
}

export interface WorkerOptions {
  /** Name of the thread's module beside this one, without its ending. */
  readonly module: string
  /** The database it opens. */
  readonly path: string
  /** Calls that may wait; one more is `store_unavailable`. */
  readonly maxWaiting: number
}

interface Waiting {
  resolve(result: never): void
  reject(error: unknown): void
}

/** Calls of a parcel: enough to share a flush, few enough that the next ones are decided meanwhile. */
const ENOUGH = 32

/** An answer that takes longer than this is waiting for the disk. */
const LONG_MS = 3

/** `.ts` as source, `.js` when built. */
const ENDING = import.meta.url.slice(import.meta.url.lastIndexOf('.'))

/** A program that is no file (`--input-type`) says so in options that a thread, which is one, would stumble over. */
const OPTIONS = process.execArgv.some((option) => option.startsWith('--input-type'))
  ? { execArgv: process.execArgv.filter((option) => option.startsWith('--conditions')) }
  : {}

/** The thread is started by the first call and keeps the process alive only while somebody waits for it. */
export function createWorkerClient<Calls extends WorkerCalls<Calls>>(plan: WorkerOptions): WorkerClient<Calls> {
  const { module, path, maxWaiting } = plan
  const waiting = new Map<number, Waiting>()
  let gathered: WorkerRequest[] = []
  let worker: Worker | undefined
  let nextId = 1
  let sentAt = 0
  let isSlow = false
  let closed = false

  function start(): Worker {
    const started = new Worker(new URL(`./${module}${ENDING}`, import.meta.url), { workerData: path, ...OPTIONS })
    started.on('message', (replies: readonly WorkerReply[]) => settle(started, replies))
    started.on('error', (error) => lose(started, error))
    started.on('exit', () => lose(started))
    return started
  }

  function send(): void {
    if (gathered.length === 0) return
    const parcel = gathered
    gathered = []
    sentAt = systemEffects.monotonic()
    try {
      worker ??= start()
    } catch (error) {
      rejectAll(error)
      return
    }
    worker.ref()
    try {
      worker.postMessage(parcel)
    } catch (error) {
      sendOneByOne(worker, parcel, error)
    }
  }

  /** Something in the parcel cannot be copied. That is the fault of one call, and only that one fails. */
  function sendOneByOne(to: Worker, parcel: readonly WorkerRequest[], fault: unknown): void {
    const [only, ...others] = parcel
    if (only !== undefined && others.length === 0) forget(only[0])?.reject(fault)
    else
      for (const request of parcel) {
        gathered = [request]
        send()
      }
    if (waiting.size === 0) to.unref()
  }

  function settle(from: Worker, replies: readonly WorkerReply[]): void {
    let isReadOnly = false
    for (const [id, result, told] of replies) {
      const call = forget(id)
      if (told === undefined) call?.resolve(result as never)
      else {
        const error = errorOf(told, path)
        call?.reject(error)
        isReadOnly ||= isForReadingOnly(error)
      }
    }
    if (waiting.size === 0) from.unref()
    if (isReadOnly) retire(from)
    isSlow = systemEffects.monotonic() - sentAt > LONG_MS
    send()
  }

  /** SQLite has opened the file for reading only and would stay at that. The next call starts another thread. */
  function retire(stuck: Worker): void {
    lose(stuck)
    void stuck.terminate()
  }

  function forget(id: number): Waiting | undefined {
    const call = waiting.get(id)
    waiting.delete(id)
    return call
  }

  /** The thread is gone: whoever waits is told, and the next call starts another one. */
  function lose(lost: Worker, cause?: unknown): void {
    if (worker !== lost) return
    worker = undefined
    rejectAll(cause)
  }

  function rejectAll(cause?: unknown): void {
    gathered = []
    for (const call of waiting.values())
      call.reject(new PurserError('store_unavailable', `A thread that works on ${path} has ended.`, { cause }))
    waiting.clear()
  }

  const call: WorkerClient<Calls>['call'] = (name, ...given) =>
    new Promise((resolve, reject) => {
      if (closed) throw storeClosed()
      if (waiting.size >= maxWaiting)
        throw new PurserError('store_unavailable', `${maxWaiting} calls are already waiting for ${path}.`)
      const isIdle = waiting.size === 0
      gathered.push([nextId, String(name), given])
      waiting.set(nextId++, { resolve, reject })
      if (gathered.length >= ENOUGH && !isSlow) send()
      else if (isIdle) afterCurrentTick(send)
    })

  return {
    call,
    callAtOnce(name, ...given) {
      const answer = call(name, ...given)
      send()
      return answer
    },
    get isUsed() {
      return nextId > 1
    },
    async close() {
      closed = true
      const ending = worker
      worker = undefined
      rejectAll()
      await ending?.terminate()
    },
  }
}

function errorOf({ code, message, hint, errcode }: SerializedError, path: string): unknown {
  const cause = Object.assign(new Error(message), errcode === undefined ? {} : { errcode })
  return code === undefined ? toStoreError(cause, path) : new PurserError(code, message, { hint, cause })
}
