import type { ServerResponse } from 'node:http'
import { toErrorResponse } from '../openai/error-response.ts'
import { DONE_FRAME, frameOf } from '../openai/sse.ts'

export type AnswerHeaders = Readonly<Record<string, string>>

/** An answer on its way to bytes. */
export interface Output {
  readonly streams: boolean
  readonly headers: AnswerHeaders
  texts(): AsyncGenerator<string>
  wholeText(): Promise<string>
  /** Ends the turn if reading has not; resolves when its ticket is settled. */
  end(): Promise<void>
}

const EVENT_STREAM: AnswerHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'private, no-store',
  'x-accel-buffering': 'no',
}
const JSON_BODY: AnswerHeaders = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'private, no-store',
}

/**
 * Writes an answer into a Node response: at the reader's pace, and no longer than the reader is there. Headers have
 * gone out when a stream breaks, so the error becomes one last frame, with the `x-request-id` that stands on the
 * response, and there is no `[DONE]`.
 */
export async function pipeAnswer(output: Output, response: ServerResponse): Promise<void> {
  const { headers } = output
  if (!output.streams) {
    const text = await output.wholeText()
    response.writeHead(200, { ...JSON_BODY, ...headers, 'content-length': Buffer.byteLength(text) }).end(text)
    await output.end()
    return
  }
  const texts = output.texts()
  const left = (): void => {
    // What goes wrong while the upstream is being stopped concerns nobody any more.
    if (!response.writableFinished)
      output
        .end()
        .then(() => texts.return(undefined))
        .catch(ignore)
  }
  response.on('close', left)
  try {
    response.writeHead(200, { ...EVENT_STREAM, ...headers })
    for await (const text of texts) {
      if (response.destroyed) break
      if (!response.write(frameOf(text))) await drained(response)
    }
    response.end(DONE_FRAME)
  } catch (error) {
    const requestId = response.getHeader('x-request-id')
    response.end(errorFrame(error, typeof requestId === 'string' ? requestId : undefined))
  } finally {
    response.off('close', left)
    await output.end()
  }
}

/** The same as a web `Response`. */
export function responseOf(output: Output): Response {
  if (!output.streams) {
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(Buffer.from(await output.wholeText()))
        controller.close()
        await output.end()
      },
    })
    return new Response(body, { headers: { ...JSON_BODY, ...output.headers } })
  }
  const texts = output.texts()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await texts.next()
        controller.enqueue(Buffer.from(next.done ? DONE_FRAME : frameOf(next.value)))
        if (next.done) controller.close()
      } catch (error) {
        controller.enqueue(Buffer.from(errorFrame(error)))
        controller.close()
      }
    },
    async cancel() {
      await output.end()
      await texts.return(undefined)
    },
  })
  return new Response(body, { headers: { ...EVENT_STREAM, ...output.headers } })
}

function errorFrame(error: unknown, requestId?: string): string {
  return frameOf(JSON.stringify(toErrorResponse(error, { requestId }).body))
}

function ignore(): void {}

/** Resolves when the response takes more, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}
