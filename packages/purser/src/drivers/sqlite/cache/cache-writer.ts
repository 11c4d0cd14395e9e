import { type MessageWrites, prepareMessageWrites } from '../bus/message-queue.ts'
import type { Database } from '../database.ts'
import { type FileCalls, fileCalls } from '../main/file-calls.ts'
import { WRITE_LIMITS } from '../main/write-queue.ts'
import { createWorkerClient, type WorkerClient } from '../worker/client.ts'
import { type AnswerWrites, prepareAnswerWrites } from './answer-writes.ts'
import { type LastGoodWrites, prepareLastGoodWrites } from './last-good.ts'

/** Everything that writes what can be rebuilt. */
export interface CacheWriterCalls extends FileCalls, AnswerWrites, LastGoodWrites, MessageWrites {
  /** The next opening makes the file anew. Other processes may be using it now, so it is not taken from under them. */
  markDamaged(): void
}

export type CacheWriter = Pick<WorkerClient<CacheWriterCalls>, 'call'>

/** The one connection of this process that writes to the second file, on a thread of its own. */
export function createCacheWriter(path: string): WorkerClient<CacheWriterCalls> {
  return createWorkerClient<CacheWriterCalls>({
    module: 'cache-writer.entry',
    path,
    maxWaiting: WRITE_LIMITS.maxWaiting,
  })
}

export function createCacheWriterCalls(cache: Database): CacheWriterCalls {
  return {
    ...fileCalls(cache),
    ...prepareAnswerWrites(cache),
    ...prepareLastGoodWrites(cache),
    ...prepareMessageWrites(cache),
    markDamaged: () => cache.connection.exec(`PRAGMA user_version = ${DAMAGED}`),
  }
}

/** Set as the version of a file in which damage was found while it was in use. */
export const DAMAGED = -1
