import type { ServerResponse } from 'node:http'
import { type ChatChunk, toErrorResponse } from 'purser'
import { drained, type EndpointTurn, isComment, parseLargeJson, stringifyJson, toChunks } from 'purser/internal'
import { type AnswerWriter, formatEvents } from '../../formats/answer-writer.ts'

/** A turn that answers with a chat completion. */
export type AnsweredTurn = Extract<EndpointTurn, { kind: 'answered' }>['turn']

/** Where the answer is written. */
export interface TranslatedResponse {
  readonly response: ServerResponse
  /** Of every response of this server. */
  readonly headers: Readonly<Record<string, string>>
}

const NO_STORE = { 'cache-control': 'private, no-store' } as const

/**
 * Writes a chat completion in the format of another endpoint, as JSON or as events. Rejects when the answer fails before
 * a header was sent.
 */
export async function pipeTranslated(
  turn: AnsweredTurn,
  writer: AnswerWriter,
  { response, headers }: TranslatedResponse,
): Promise<void> {
  if (turn.streams) return pipeEvents(turn, writer, { response, headers })
  const completion = await turn.completion()
  for (const chunk of toChunks(completion)) writer.push(chunk)
  await writer.end()
  const text = await stringifyJson(writer.answer)
  const length = String(Buffer.byteLength(text))
  const type = 'application/json; charset=utf-8'
  const own = { 'content-type': type, ...NO_STORE, ...turn.headers, 'content-length': length }
  response.writeHead(200, { ...headers, ...own }).end(text)
}

async function pipeEvents(
  turn: AnsweredTurn,
  writer: AnswerWriter,
  { response, headers }: TranslatedResponse,
): Promise<void> {
  const texts = turn.read()
  response.writeHead(200, {
    ...headers,
    'content-type': 'text/event-stream; charset=utf-8',
    'x-accel-buffering': 'no',
    ...NO_STORE,
    ...turn.headers,
  })
  turn.onReaderTimeout(() => response.destroy())
  try {
    for await (const text of texts) {
      if (response.destroyed) return
      await write(response, isComment(text) ? writer.ping : await translate(text, writer))
    }
    // Each of the last events may have the whole answer.
    for (const event of await writer.end()) await write(response, await formatEvents([event]))
    response.end()
  } catch (error) {
    if (response.destroyed) return
    const context = { requestId: headers['x-request-id'] }
    response.end(await formatEvents([writer.fail(toErrorResponse(error, context).body.error)]))
  }
}

async function translate(text: string, writer: AnswerWriter): Promise<string> {
  return formatEvents(writer.push((await parseLargeJson(text)) as ChatChunk))
}

async function write(response: ServerResponse, frame: string): Promise<void> {
  if (frame !== '' && !response.destroyed && !response.write(frame)) await drained(response)
}
