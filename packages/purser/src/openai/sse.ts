import { formatSseEvent } from '../core/sse.ts'

/** The data of the event that ends a complete stream of chunks. */
export const DONE = '[DONE]'

/** That event as text of the stream. */
export const DONE_EVENT: string = formatSseEvent(DONE)
