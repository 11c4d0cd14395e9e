import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { prepareReaderCalls, type ReaderReply, type ReaderRequest } from './reader-calls.ts'

/** How long a read waits for a lock. Nothing else runs on this thread, so it may wait. */
const BUSY_TIMEOUT_MS = 2_000

const connection = new DatabaseSync(String(workerData), { readOnly: true, timeout: BUSY_TIMEOUT_MS })
connection.exec('PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384')
const calls = prepareReaderCalls(connection)

parentPort?.on('message', ({ id, call, arguments: given }: ReaderRequest) => {
  parentPort?.postMessage(answer(id, () => (calls[call] as (...given: readonly unknown[]) => unknown)(...given)))
})

function answer(id: number, run: () => unknown): ReaderReply {
  try {
    return { id, result: run() }
  } catch (error) {
    const resultCode = error instanceof Error && 'errcode' in error ? Number(error.errcode) : undefined
    return { id, message: error instanceof Error ? error.message : String(error), resultCode }
  }
}
