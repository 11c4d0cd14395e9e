import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { rounds, seed } from '../support/fuzz-options.ts'
import type { Crowd } from './isolation-scenario.ts'

for (let run = 0; run < rounds(20, 2); run++) {
  const crowd: Crowd = { seed: seed + run, users: rounds(10_000, 800), operations: rounds(200_000, 20_000) }
  test(`RC-21 RC-D18 R1 R3: nobody meets anything of anybody else, and each client closes once (seed ${crowd.seed})`, async (t) => {
    const thread = new Worker(new URL('./isolation-worker.ts', import.meta.url), { workerData: crowd })
    const [summary] = await once(thread, 'message')
    t.diagnostic(summary)
  })
}
