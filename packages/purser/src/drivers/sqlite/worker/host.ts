import { parentPort } from 'node:worker_threads'
import { PurserError } from '../../../errors.ts'
import type { SerializedError, WorkerCalls, WorkerReply, WorkerRequest } from './client.ts'

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

function serializeError(error: unknown): SerializedError {
  const { message } = error instanceof Error ? error : new Error(String(error))
  if (!PurserError.is(error)) return { message, errcode: errcodeOf(error) }
  return { message, code: error.code, hint: error.hint, details: error.details, errcode: errcodeOf(error.cause) }
}

function errcodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) : undefined
}
