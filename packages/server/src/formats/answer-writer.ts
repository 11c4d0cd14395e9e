import type { ChatChunk, ErrorResponse } from 'purser'

/** Writes the chunks of a chat completion in the format of another endpoint. */
export interface AnswerWriter {
  /** The events that a chunk gives, as text of the stream. */
  push(chunk: ChatChunk): string
  /** The events that end a complete answer. */
  end(): string | Promise<string>
  /** The frame of an answer that breaks. */
  fail(error: ErrorResponse['body']['error']): string
  /** A sign of life of an upstream that has no chunk yet. */
  readonly ping: string
  /** The whole answer, after `end`. */
  readonly answer: object
}
