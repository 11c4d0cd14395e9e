import { workerData } from 'node:worker_threads'
import { openDatabase } from './database.ts'
import { serve } from './serve.ts'
import { createWriterCalls } from './writer.ts'

serve(createWriterCalls(await openDatabase({ path: String(workerData), profile: 'durable' })))
