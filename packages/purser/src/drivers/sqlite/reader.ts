import { Worker } from 'node:worker_threads'
import { PurserError } from '../../errors.ts'
import { faultOf } from './faults.ts'
import type { ReaderCalls, ReaderReply, ReaderRequest } from './reader-calls.ts'

/** Long reads on a thread and a connection of their own, so that they hold up nobody. */
export interface Reader {
  call<Name extends keyof ReaderCalls>(
    name: Name,
    ...given: Parameters<ReaderCalls[Name]>
  ): Promise<ReturnType<ReaderCalls[Name]>>
  /** Ends the thread; calls under way are rejected. */
  close(): Promise<void>
}

/** Calls that may wait for the thread; one more is `store_unavailable`. */
const MAX_WAITING = 1_000

// Beside this file, with its ending: `.ts` as source, `.js` when built.
const THREAD = new URL(`./reader-thread${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url)

interface Waiting {
  resolve(result: never): void
  reject(error: unknown): void
}

/** The thread is started by the first call and keeps the process alive only while somebody waits for it. */
export function createReader(path: string): Reader {
  let worker: Worker | undefined
  let nextId = 1
  let closed = false
  const waiting = new Map<number, Waiting>()

  function start(): Worker {
    const started = new Worker(THREAD, { workerData: path })
    started.on('message', (reply: ReaderReply) => settle(started, reply))
    started.on('error', (error) => lose(started, error))
    started.on('exit', () => lose(started))
    return started
  }

  function settle(from: Worker, reply: ReaderReply): void {
    const call = waiting.get(reply.id)
    waiting.delete(reply.id)
    if (waiting.size === 0) from.unref()
    if (call === undefined) return
    if ('result' in reply) call.resolve(reply.result as never)
    else call.reject(faultOf(Object.assign(new Error(reply.message), { errcode: reply.resultCode }), path))
  }

  /** The thread is gone: whoever waits is told, and the next call starts another one. */
  function lose(lost: Worker, cause?: unknown): void {
    if (worker !== lost) return
    worker = undefined
    for (const call of waiting.values()) {
      call.reject(new PurserError('store_unavailable', `The reader of ${path} has ended.`, { cause }))
    }
    waiting.clear()
  }

  return {
    call(name, ...given) {
      return new Promise((resolve, reject) => {
        if (closed) throw new PurserError('closed', 'This store has been closed.')
        if (waiting.size >= MAX_WAITING)
          throw new PurserError('store_unavailable', `${MAX_WAITING} reads are already waiting.`)
        worker ??= start()
        const request: ReaderRequest = { id: nextId++, call: name, arguments: given }
        waiting.set(request.id, { resolve, reject })
        worker.ref()
        worker.postMessage(request)
      })
    },
    async close() {
      closed = true
      const ending = worker
      if (ending === undefined) return
      lose(ending)
      await ending.terminate()
    },
  }
}
