import { formatSseEvent } from '../core/sse.ts'

/** The data of the event that ends a complete stream of chunks. */
export const DONE = '[DONE]'

/** That event as text of the stream. */
export const DONE_EVENT: string = formatSseEvent(DONE)

/**
 * Whether a text of a stream is a comment instead of a chunk: a sign of life of an upstream that has no chunk yet. It
 * starts with a colon, as in the event stream; a chunk is a JSON object.
 */
export function isComment(text: string): boolean {
  return text.charCodeAt(0) === 0x3a
}

/** A chunk or a comment as text of the stream. Both are one line. */
export function formatChunk(text: string): string {
  return isComment(text) ? `${text}\n\n` : `data: ${text}\n\n`
}
