import type { WorkerCalls, WorkerClient } from '../../src/drivers/sqlite/worker/client.ts'

/** A writer without its thread, so that a test can reach its connection. */
export function onThisThread<Calls extends WorkerCalls<Calls>>(calls: Calls): WorkerClient<Calls> {
  const call: WorkerClient<Calls>['call'] = async (name, ...given) => calls[name](...(given as never[])) as never
  return {
    call,
    callAtOnce: call,
    isUsed: true,
    close: async () => {},
  }
}
