import { parentPort, workerData } from 'node:worker_threads'
import { type Crowd, runCrowd } from './isolation-scenario.ts'

/* A thread of its own: the hooks of the test runner follow every promise, and a crowd makes millions of them. */
parentPort?.postMessage(await runCrowd(workerData as Crowd))
