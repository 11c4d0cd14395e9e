import type { ChatChunk, ErrorResponse } from 'purser'
import { isLargeJson, writeJsonTexts } from 'purser/internal'

/** An event of a stream, named by its type. */
export interface AnswerEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** Writes the chunks of a chat completion in the format of another endpoint. Events are to be formatted before the next call. */
export interface AnswerWriter {
  /** The events that a chunk gives. */
  push(chunk: ChatChunk): readonly AnswerEvent[]
  /** The events that end a complete answer. */
  end(): Promise<readonly AnswerEvent[]>
  /** The last event of an answer that breaks. */
  fail(error: ErrorResponse['body']['error']): AnswerEvent
  /** The text of a sign of life of an upstream that has no chunk yet. */
  readonly ping: string
  /** The whole answer, after `end`. */
  readonly answer: object
}

/** The text of events; a promise for large ones, which are written in steps. */
export function formatEvents(events: readonly AnswerEvent[]): string | Promise<string> {
  const format = (texts: readonly string[]): string =>
    events.map(({ type }, index) => `event: ${type}\ndata: ${texts[index]}\n\n`).join('')
  if (isLargeJson(events)) return writeJsonTexts(events).then(format)
  return format(events.map((event) => JSON.stringify(event)))
}
