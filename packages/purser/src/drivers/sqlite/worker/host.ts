import { parentPort } from 'node:worker_threads'
import type { WorkerCalls, WorkerReply, WorkerRequest } from './client.ts'
import { serializeError } from './serialized-error.ts'

/**
 * Runs the calls of a `WorkerClient` in this thread from now on. The reply of a synchronous function is sent before the
 * next call begins; the replies of promises that settle together are sent together.
 */
export function serve<Calls extends WorkerCalls<Calls>>(calls: Calls): void {
  let replies: WorkerReply[] = []

  function reply(message: WorkerReply): void {
    if (replies.push(message) === 1) queueMicrotask(send)
  }

  function send(): void {
    if (replies.length > 0) parentPort?.postMessage(replies)
    replies = []
  }

  function run([id, call, args]: WorkerRequest): void {
    try {
      const result = calls[call as keyof Calls](...(args as never[]))
      if (result instanceof Promise) {
        result.then(
          (value) => reply([id, value]),
          (error) => reply([id, null, serializeError(error)]),
        )
        return
      }
      reply([id, result])
    } catch (error) {
      reply([id, null, serializeError(error)])
    }
    send()
  }

  parentPort?.on('message', (requests: readonly WorkerRequest[]) => {
    for (const request of requests) run(request)
  })
}
