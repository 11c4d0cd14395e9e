import { workerData } from 'node:worker_threads'
import { openDatabase, retryWhileBusy } from '../database.ts'
import type { FileIdentity } from '../file-guard.ts'
import { createWriterCalls } from '../main/writer.ts'
import { serve } from './host.ts'

const { path, identity } = workerData as { path: string; identity: FileIdentity }
const main = await openDatabase({ path, identity, profile: 'durable', mustExist: true })
serve(await retryWhileBusy(main.path, () => createWriterCalls(main)))
