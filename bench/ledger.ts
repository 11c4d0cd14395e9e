/*
 * Cost of durable admissions, compared with the database alone; delay of the event loop while the disk is slow; time to read
 * a user with many events; and memory use after admissions of many users.
 *
 *   npm run ledger -- [seconds per measurement, 5] [different users, 1000000]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureAdmissions } from './ledger/admissions.ts'
import { measureColdReads } from './ledger/cold-read.ts'
import { measureEventLoopLag } from './ledger/event-loop-lag.ts'
import { type Figure, printTable } from './ledger/figures.ts'
import { measureMemoryGrowth } from './ledger/memory-growth.ts'

const seconds = Number(process.argv[2] ?? 5)
const users = Number(process.argv[3] ?? 1_000_000)
const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
const figures: Figure[] = []
try {
  figures.push(...(await measureAdmissions(folder, seconds)))
  figures.push(...(await measureEventLoopLag(folder, seconds)))
  figures.push(...(await measureColdReads(folder)))
  figures.push(...(await measureMemoryGrowth(folder, users)))
} finally {
  rmSync(folder, { recursive: true })
}
printTable(figures)
if (figures.some(({ met }) => met === false)) process.exitCode = 1
