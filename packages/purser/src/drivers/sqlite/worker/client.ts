import { Worker } from 'node:worker_threads'
import { systemEffects } from '../../../core/effects.ts'
import { SlotTable } from '../../../core/slot-table.ts'
import { PurserError, storeClosed } from '../../../errors.ts'
import { isReadOnly } from '../errors.ts'
import type { FileIdentity } from '../file-guard.ts'
import { deserializeError, type SerializedError } from './serialized-error.ts'

/*
 * Calls functions in a worker thread that has its own connection, so that neither a long read nor a slow disk blocks the
 * event loop.
 *
 * Calls are sent in batches. While the thread is busy they are queued, and sent with its next reply; or earlier, once a
 * batch is full, so that this thread decides while the worker writes. When replies are slow, the worker waits for the
 * disk: then it is better that as many calls as possible share the next flush.
 *
 * A disk may hang: the thread is then in a call that does not return, and cannot be stopped. When nothing has come from it
 * for some seconds, its pending calls are rejected, and further ones at once, until it replies again. What it had received
 * may be written then; its replies are dropped.
 */

/** Calls to functions in a worker thread. Arguments and results are cloned. */
export interface WorkerClient<Calls extends WorkerCalls<Calls>> {
  /**
   * Rejects with the error of the function, with `closed`, or with `store_unavailable` when the thread stops or too many
   * calls are pending.
   */
  call<Name extends keyof Calls>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>>
  /** Like `call`, for a call that counts as many: with so much to do for the thread. */
  callMany<Name extends keyof Calls>(
    count: number,
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>>
  /** Like `call`, without batching: for a call that the thread's next reply may depend on. */
  callNow: WorkerClient<Calls>['call']
  /** True after the first call, which starts the thread. */
  readonly isUsed: boolean
  /** Stops the thread; pending calls are rejected. */
  close(): Promise<void>
}

export type WorkerCalls<Calls> = { readonly [Name in keyof Calls]: (...args: never[]) => unknown }

/** One call, sent in batches. A tuple, because objects are cloned much more slowly. */
export type WorkerRequest = readonly [id: number, call: string, args: readonly unknown[]]

/** The reply to one call, sent in batches. */
export type WorkerReply =
  | readonly [id: number, result: unknown]
  | readonly [id: number, result: null, error: SerializedError]

export interface WorkerOptions {
  /** Name of the thread. Its module is `NAME.entry` in this directory. */
  readonly name: string
  /** The database that the thread opens. */
  readonly path: string
  /** Of the file as this thread has opened it. */
  readonly identity?: FileIdentity
  /** Pending calls; one more is rejected with `store_unavailable`. */
  readonly maxPending: number
  /** How long the thread may reply to none of its pending calls. */
  readonly maxSilenceSeconds: number
  /** Calls that may take longer by their nature: while one is pending, the thread may be silent for ten times as long. */
  readonly slowCalls: readonly string[]
}

interface PendingCall {
  readonly isSlow: boolean
  resolve(result: never): void
  reject(error: unknown): void
}

/** Calls in a full batch: enough to share a flush, few enough to decide the next ones meanwhile. */
export const BATCH_CALLS = 32

/** How often the silence of the thread is counted. Not measured, because this process may have been stopped meanwhile. */
const WATCH_MS = 1_000
const SLOW_FACTOR = 10

/** A reply that takes longer is waiting for the disk. */
const SLOW_REPLY_MS = 3

/** `.ts` in the source, `.js` in the build. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf('.'))

/** A program from `--input-type` passes that option on to its threads, which are files and would not start with it. */
const WORKER_OPTIONS = process.execArgv.some((option) => option.startsWith('--input-type'))
  ? { execArgv: process.execArgv.filter((option) => option.startsWith('--conditions')) }
  : {}

/** The thread is started by the first call, and keeps the process alive only while calls are pending. */
export function createWorkerClient<Calls extends WorkerCalls<Calls>>(options: WorkerOptions): WorkerClient<Calls> {
  return new BatchingClient<Calls>(options)
}

class BatchingClient<Calls extends WorkerCalls<Calls>> implements WorkerClient<Calls> {
  readonly #options: WorkerOptions
  readonly #pending = new SlotTable<PendingCall>()
  #batch: WorkerRequest[] = []
  /** How many calls the batch counts as. */
  #batchCalls = 0
  #worker: Worker | undefined
  #isUsed = false
  #sentAt = 0
  #isSlow = false
  #isClosed = false
  /** Counted while calls are pending. */
  #silentSeconds = 0
  #isHung = false
  #cancelWatch: (() => void) | undefined

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  call<Name extends keyof Calls>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    return this.callMany(1, name, ...args)
  }

  callMany<Name extends keyof Calls>(
    count: number,
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw storeClosed()
      if (this.#isHung) throw this.#unavailable('does not respond')
      const { maxPending, slowCalls } = this.#options
      if (this.#pending.size >= maxPending) throw this.#unavailable(`already has ${maxPending} pending calls`)
      const isIdle = this.#pending.size === 0
      this.#isUsed = true
      const id = this.#pending.add({ isSlow: slowCalls.includes(String(name)), resolve, reject })
      this.#batch.push([id, String(name), args])
      this.#batchCalls += count
      this.#watch()
      if (this.#batchCalls >= BATCH_CALLS && !this.#isSlow) this.#send()
      else if (isIdle) queueMicrotask(() => this.#send())
    })
  }

  callNow<Name extends keyof Calls>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    const result = this.call(name, ...args)
    this.#send()
    return result
  }

  get isUsed(): boolean {
    return this.#isUsed
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const worker = this.#worker
    this.#worker = undefined
    this.#cancelWatch?.()
    this.#rejectAll()
    const ended = worker?.terminate()
    if (!this.#isHung) await ended
  }

  #start(): Worker {
    const { name, path, identity } = this.#options
    const worker = new Worker(new URL(`./${name}.entry${EXTENSION}`, import.meta.url), {
      workerData: { path, identity },
      ...WORKER_OPTIONS,
    })
    worker.on('message', (replies: readonly WorkerReply[]) => this.#settle(worker, replies))
    worker.on('error', (error) => this.#discard(worker, error))
    worker.on('exit', () => this.#discard(worker))
    return worker
  }

  #send(): void {
    if (this.#batch.length === 0) return
    const batch = this.#batch
    this.#dropBatch()
    this.#sentAt = systemEffects.monotonic()
    try {
      this.#worker ??= this.#start()
    } catch (error) {
      this.#rejectAll(error)
      return
    }
    this.#worker.ref()
    try {
      this.#worker.postMessage(batch)
    } catch (error) {
      this.#sendSeparately(this.#worker, batch, error)
    }
  }

  /** A batch that cannot be cloned is sent again as single calls, so that only the call at fault is rejected. */
  #sendSeparately(worker: Worker, batch: readonly WorkerRequest[], error: unknown): void {
    const [only, ...others] = batch
    if (only !== undefined && others.length === 0) this.#pending.take(only[0])?.reject(error)
    else
      for (const request of batch) {
        this.#batch = [request]
        this.#send()
      }
    if (this.#pending.size === 0) worker.unref()
  }

  #settle(worker: Worker, replies: readonly WorkerReply[]): void {
    let isReadOnlyFile = false
    this.#silentSeconds = 0
    this.#isHung = false
    for (const [id, result, serialized] of replies) {
      const call = this.#pending.take(id)
      if (serialized === undefined) call?.resolve(result as never)
      else {
        const error = deserializeError(serialized, this.#options.path)
        call?.reject(error)
        isReadOnlyFile ||= isReadOnly(error)
      }
    }
    if (this.#pending.size === 0) worker.unref()
    if (isReadOnlyFile) this.#terminate(worker)
    this.#isSlow = systemEffects.monotonic() - this.#sentAt > SLOW_REPLY_MS
    this.#send()
  }

  /** A connection that SQLite opened read-only stays read-only. The next call starts another thread. */
  #terminate(worker: Worker): void {
    this.#discard(worker)
    void worker.terminate()
  }

  /** The thread has stopped: pending calls are rejected, and the next call starts another thread. */
  #discard(worker: Worker, cause?: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#isHung = false
    this.#rejectAll(cause)
  }

  /** Counts the seconds in which the thread replies to none of its pending calls. */
  #watch(): void {
    this.#cancelWatch ??= systemEffects.setTimer(
      () => {
        this.#cancelWatch = undefined
        if (this.#pending.size === 0) {
          this.#silentSeconds = 0
          return
        }
        this.#silentSeconds++
        if (this.#silentSeconds >= this.#maxSilentSeconds()) this.#giveUp()
        else this.#watch()
      },
      WATCH_MS,
      { background: true },
    )
  }

  #maxSilentSeconds(): number {
    const { maxSilenceSeconds } = this.#options
    const isSlow = this.#pending.some((call) => call.isSlow)
    return isSlow ? SLOW_FACTOR * maxSilenceSeconds : maxSilenceSeconds
  }

  #giveUp(): void {
    this.#isHung = true
    this.#silentSeconds = 0
    this.#dropBatch()
    for (const call of this.#pending.takeAll()) call.reject(this.#unavailable('does not respond'))
    // The process may end while the disk hangs.
    this.#worker?.unref()
  }

  #dropBatch(): void {
    this.#batch = []
    this.#batchCalls = 0
  }

  #rejectAll(cause?: unknown): void {
    this.#dropBatch()
    for (const call of this.#pending.takeAll()) call.reject(this.#unavailable('has stopped', cause))
  }

  #unavailable(what: string, cause?: unknown): PurserError {
    const { name, path } = this.#options
    return new PurserError('store_unavailable', `The ${name} thread of the store ${what}.`, {
      cause,
      details: { path },
    })
  }
}
