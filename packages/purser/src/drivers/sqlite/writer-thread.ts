import { workerData } from 'node:worker_threads'
import { openDatabase, untilFree } from './database.ts'
import { serve } from './serve.ts'
import { createWriterCalls } from './writer.ts'

const main = await openDatabase({ path: String(workerData), profile: 'durable', existing: true })
serve(await untilFree(main.path, () => createWriterCalls(main)))
