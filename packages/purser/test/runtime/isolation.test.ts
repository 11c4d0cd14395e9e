import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { rounds, seed } from '../support/fuzz-options.ts'
import type { IsolationOptions } from './isolation-scenario.ts'

for (let run = 0; run < rounds(20, 2); run++) {
  const options: IsolationOptions = {
    seed: seed + run,
    users: rounds(10_000, 800),
    operations: rounds(200_000, 20_000),
  }
  test(`no user sees data or clients of another user, and each client closes once (RC-21, RC-D18; seed ${options.seed})`, async (t) => {
    const worker = new Worker(new URL('./isolation-worker.ts', import.meta.url), { workerData: options })
    const [summary] = await once(worker, 'message')
    t.diagnostic(summary)
  })
}
