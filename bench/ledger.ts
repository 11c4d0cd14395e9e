/*
 * What durable admissions cost beside the bare database, how long they hold up everything else when the disk is slow,
 * what a long past costs the reader, and whether a crowd leaves anything behind in memory.
 *
 *   npm run ledger -- [seconds a measurement, 5] [different users, 1000000]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { admissions } from './ledger/admissions.ts'
import { coldRead } from './ledger/cold-read.ts'
import { crowd } from './ledger/concurrent-admitter.ts'
import { type Figure, printTable } from './ledger/figures.ts'
import { lag } from './ledger/lag.ts'

const seconds = Number(process.argv[2] ?? 5)
const users = Number(process.argv[3] ?? 1_000_000)
const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
const figures: Figure[] = []
try {
  figures.push(...(await admissions(folder, seconds)))
  figures.push(...(await lag(folder, seconds)))
  figures.push(...(await coldRead(folder)))
  figures.push(...(await crowd(folder, users)))
} finally {
  rmSync(folder, { recursive: true })
}
printTable(figures)
if (figures.some(({ met }) => met === false)) process.exitCode = 1
