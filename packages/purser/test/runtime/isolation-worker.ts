import { parentPort, workerData } from 'node:worker_threads'
import { type IsolationOptions, runIsolationScenario } from './isolation-scenario.ts'

/* In a worker thread: the hooks of the test runner track every promise, and the scenario creates millions. */
parentPort?.postMessage(await runIsolationScenario(workerData as IsolationOptions))
