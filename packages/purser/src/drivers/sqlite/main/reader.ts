import { createThread, type Thread } from '../worker/client.ts'
import type { ReaderCalls } from './reader-calls.ts'

/** Long reads, and whole files. */
export type Reader = Thread<ReaderCalls>

const MAX_WAITING = 1_000

export function createReader(path: string): Reader {
  return createThread<ReaderCalls>({ module: 'reader.entry', path, maxWaiting: MAX_WAITING })
}
