import { parentPort } from 'node:worker_threads'
import { PurserError } from '../../../errors.ts'
import type { SerializedError, WorkerCalls, WorkerReply, WorkerRequest } from './client.ts'

/**
 * Answers the calls of a `Thread` from now on. What is there at once is told at once, before the next call begins;
 * promises that come true together are told together.
 */
export function serve<Calls extends WorkerCalls<Calls>>(calls: Calls): void {
  let replies: WorkerReply[] = []

  function tell(reply: WorkerReply): void {
    if (replies.push(reply) === 1) queueMicrotask(send)
  }

  function send(): void {
    if (replies.length > 0) parentPort?.postMessage(replies)
    replies = []
  }

  function answer([id, call, given]: WorkerRequest): void {
    try {
      const result = calls[call as keyof Calls](...(given as never[]))
      if (result instanceof Promise) {
        result.then(
          (value) => tell([id, value]),
          (error) => tell([id, null, toldOf(error)]),
        )
        return
      }
      tell([id, result])
    } catch (error) {
      tell([id, null, toldOf(error)])
    }
    send()
  }

  parentPort?.on('message', (requests: readonly WorkerRequest[]) => {
    for (const request of requests) answer(request)
  })
}

function toldOf(error: unknown): SerializedError {
  const { message } = error instanceof Error ? error : new Error(String(error))
  if (!PurserError.is(error)) return { message, errcode: errcodeOf(error) }
  return { message, code: error.code, hint: error.hint, errcode: errcodeOf(error.cause) }
}

function errcodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) : undefined
}
