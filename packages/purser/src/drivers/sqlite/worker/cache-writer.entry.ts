import { workerData } from 'node:worker_threads'
import { createCacheWriterCalls } from '../cache/cache-file.ts'
import { openDatabase, retryWhileBusy } from '../database.ts'
import { serve } from './host.ts'

const cache = await openDatabase({ path: String(workerData.path), profile: 'rebuildable', mustExist: true })
serve(await retryWhileBusy(cache.path, () => createCacheWriterCalls(cache)))
