import type { ReaderCalls } from './reader-calls.ts'
import { createThread, type Thread } from './thread.ts'

/** Long reads, and whole files. */
export type Reader = Thread<ReaderCalls>

const MAX_WAITING = 1_000

export function createReader(path: string): Reader {
  return createThread<ReaderCalls>({ module: 'reader-thread', path, maxWaiting: MAX_WAITING })
}
