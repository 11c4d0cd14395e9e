import type { Thread } from '../../../src/drivers/sqlite/thread.ts'
import type { WriterCalls } from '../../../src/drivers/sqlite/writer.ts'

/** The writer without its thread. */
export function onThisThread(calls: WriterCalls): Thread<WriterCalls> {
  return {
    call: async (name, ...given) => (calls[name] as (...given: readonly unknown[]) => never)(...given),
    isUsed: true,
    close: async () => {},
  }
}
