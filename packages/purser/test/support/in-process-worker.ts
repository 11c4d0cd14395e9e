import type { WorkerCalls, WorkerClient } from '../../src/drivers/sqlite/worker/client.ts'

/** A worker client that runs its calls in this thread, so that a test can reach the connection they use. */
export function createInProcessWorker<Calls extends WorkerCalls<Calls>>(calls: Calls): WorkerClient<Calls> {
  const call: WorkerClient<Calls>['call'] = async (name, ...args) => calls[name](...(args as never[])) as never
  return {
    call,
    callMany: (_count, name, ...args) => call(name, ...args),
    callNow: call,
    isUsed: true,
    close: async () => {},
  }
}
