import type { ReaderCalls } from './reader-calls.ts'
import { createThread, type Thread } from './thread.ts'

/** Long reads, and whole files. */
export type Reader = Thread<ReaderCalls>

const MAX_WAITING = 1_000

/** Each call goes out by itself: a short one is answered before a long one behind it begins. */
export function createReader(path: string): Reader {
  return createThread<ReaderCalls>({ module: 'reader-thread', path, together: 1, maxWaiting: MAX_WAITING })
}
