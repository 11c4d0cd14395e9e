import { parentPort } from 'node:worker_threads'
import { PurserError } from '../../errors.ts'
import type { ThreadCalls, ThreadReply, ThreadRequest, ToldError } from './thread.ts'

/** Answers the calls of a `Thread` from now on; results that come together go back together. */
export function serve<Calls extends ThreadCalls<Calls>>(calls: Calls): void {
  let replies: ThreadReply[] = []

  function reply(told: ThreadReply): void {
    if (replies.push(told) === 1) queueMicrotask(send)
  }

  function send(): void {
    parentPort?.postMessage(replies)
    replies = []
  }

  async function answer({ id, call, given }: ThreadRequest): Promise<void> {
    try {
      reply({ id, result: await calls[call as keyof Calls](...(given as never[])) })
    } catch (error) {
      reply({ id, ...toldOf(error) })
    }
  }

  parentPort?.on('message', (requests: readonly ThreadRequest[]) => {
    for (const request of requests) void answer(request)
  })
}

function toldOf(error: unknown): ToldError {
  const { message } = error instanceof Error ? error : new Error(String(error))
  if (!PurserError.is(error)) return { message, errcode: errcodeOf(error) }
  return { message, code: error.code, hint: error.hint, errcode: errcodeOf(error.cause) }
}

function errcodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) : undefined
}
