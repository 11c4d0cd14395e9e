import { createWorkerClient, type WorkerClient } from '../worker/client.ts'
import type { ReaderCalls } from './reader-calls.ts'

/** Long reads, and whole files. */
export type Reader = WorkerClient<ReaderCalls>

const MAX_WAITING = 1_000

export function createReader(path: string): Reader {
  return createWorkerClient<ReaderCalls>({ module: 'reader.entry', path, maxWaiting: MAX_WAITING })
}
