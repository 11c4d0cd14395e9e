import type { Thread, ThreadCalls } from '../../src/drivers/sqlite/worker/client.ts'

/** A writer without its thread, so that a test can reach its connection. */
export function onThisThread<Calls extends ThreadCalls<Calls>>(calls: Calls): Thread<Calls> {
  const call: Thread<Calls>['call'] = async (name, ...given) => calls[name](...(given as never[])) as never
  return {
    call,
    callAtOnce: call,
    isUsed: true,
    close: async () => {},
  }
}
