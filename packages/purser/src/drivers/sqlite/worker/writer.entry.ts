import { workerData } from 'node:worker_threads'
import { openDatabase, retryWhileBusy } from '../database.ts'
import { createWriterCalls } from '../main/writer.ts'
import { serve } from './host.ts'

const main = await openDatabase({ path: String(workerData), profile: 'durable', mustExist: true })
serve(await retryWhileBusy(main.path, () => createWriterCalls(main)))
