import { workerData } from 'node:worker_threads'
import { openDatabase, untilFree } from '../database.ts'
import { createWriterCalls } from '../main/writer.ts'
import { serve } from './host.ts'

const main = await openDatabase({ path: String(workerData), profile: 'durable', existing: true })
serve(await untilFree(main.path, () => createWriterCalls(main)))
