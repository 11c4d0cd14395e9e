import { workerData } from 'node:worker_threads'
import { createCacheWriterCalls } from '../cache/cache-writer.ts'
import { openDatabase, untilFree } from '../database.ts'
import { serve } from './host.ts'

const cache = await openDatabase({ path: String(workerData), profile: 'rebuildable', existing: true })
serve(await untilFree(cache.path, () => createCacheWriterCalls(cache)))
