import { statSync } from 'node:fs'
import { join } from 'node:path'
import { openDatabase } from '../../packages/purser/src/drivers/sqlite/database.ts'
import { pack } from '../../packages/purser/src/drivers/sqlite/main/packed-commit.ts'
import { createWriterCalls } from '../../packages/purser/src/drivers/sqlite/main/writer.ts'
import { migrate } from '../../packages/purser/src/drivers/sqlite/migrate.ts'
import type { Recorded } from '../../packages/purser/src/storage/commit.ts'
import { median } from '../ledger/figures.ts'

/*
 * What SQLite's writer does for a turn: an admission of one user, and the settlement of another. Nothing else runs in this
 * process, so that its processor time says something on a busy machine as well.
 */

/** For a turn. */
export interface WriterCosts {
  readonly processorMicros: number
  /** Bytes of the write-ahead log, KiB. */
  readonly logKib: number
}

export const USERS = 1_000
export const TURNS_OF_TRANSACTION = 64
const TURNS = 8_192
const ROUNDS = 7
const HOUR = 496_000
const FACETS = { phase: 'new', riskLevel: 'low', blocked: false, capUsed: 0.1, capUsedUntil: 1e13, peak: 0 }
const USAGE = JSON.stringify({ v: 3, counters: 'x'.repeat(200) })
const AMOUNTS = [1, 0, 0, 21, 9, 0, 12_345, 0]

export async function measureWriter(folder: string, isRecording: boolean): Promise<WriterCosts> {
  const path = join(folder, `writer-${isRecording}.db`)
  const database = await openDatabase({ path, profile: 'durable' })
  migrate(database.connection)
  const calls = createWriterCalls(database)
  const revisions = Array.from({ length: USERS }, (): number | null => null)
  let turns = 0

  function commitOf(user: number, recorded: Recorded | undefined): ReturnType<typeof pack> {
    const expect = revisions[user] ?? null
    revisions[user] = (expect ?? 0) + 1
    const tag = expect === null ? `tag ${user}` : null
    const none = { events: [], records: [], trims: [], replies: [] }
    const row = { expect, incarnation: 1, tag, at: turns, seenAt: turns, facets: FACETS, usage: USAGE, ...none }
    return pack({ namespace: 'default', id: `user-${user}` }, { ...row, recorded })
  }

  async function write(count: number): Promise<void> {
    for (let end = turns + count; turns < end; ) {
      const commits: ReturnType<typeof pack>[] = []
      for (let part = 0; part < TURNS_OF_TRANSACTION; part++, turns++) {
        commits.push(commitOf((turns + USERS / 2) % USERS, undefined))
        commits.push(commitOf(turns % USERS, isRecording ? recordOf(turns) : undefined))
      }
      const outcomes = await calls.commitAll(commits)
      if (!outcomes.every((outcome) => outcome === true)) throw new Error('A commit was refused.')
    }
    await calls.foldTurns()
  }

  // Each user has 60 turns then.
  await write(60 * USERS)
  const micros: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    await write(TURNS)
    const { user, system } = process.cpuUsage(before)
    micros.push((user + system) / TURNS)
  }
  database.connection.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0')
  await write(TURNS)
  const logKib = statSync(`${path}-wal`).size / 1_024 / TURNS
  await calls.close()
  return { processorMicros: median(micros), logKib }
}

function recordOf(turn: number): Recorded {
  const time = (1_790_000_000_000 + turn).toString(16).padStart(12, '0')
  const id = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${((turn * 7_919) % 2 ** 44).toString(16).padStart(12, '0')}`
  const value = `[1,${1_790_000_000_000 + turn},"chat/completions",null,null,"local","m","m",null,[["local","m",200,null,1.23]],"off",null,null,1,0,[21,4096],[21,9,0,0],12345,[0.45,1.23,1.24,2.34],[["profile","empty",0,0,0],["actions","empty",0,0,0]],[],"request ${turn}",${turn},"same"]`
  const sums = [{ day: '2026-11-30', hour: HOUR, key: '["turns",null,"local","m"]', amounts: AMOUNTS }]
  return { turns: [{ id, outcome: 'completed', value }], userSums: sums, sums }
}
