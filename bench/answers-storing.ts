/*
 * What does it cost to store an answer, and does it grow with the number of stored answers? Purser on SQLite: the time
 * that a caller waits, and the processor time of the thread that serves callers and of the threads that write. Compared
 * with the design that it replaces, which rewrites one JSON file for every answer. The last line has a full cache, where
 * each new answer evicts another. `--full` continues up to a million entries.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPurser, type Purser } from '../packages/purser/src/index.ts'
import { median } from './ledger/figures.ts'

const sizes = [100, 1_000, 10_000, 100_000, ...(process.argv.includes('--full') ? [1_000_000] : [])]
const FILE_MAX_ENTRIES = 10_000
const ROUNDS = 20
/** Answers of one round; the writer is idle again before the next one, so that no answer stays in memory only. */
const ROUND_ANSWERS = 200
const answer = 'An answer of some length. '.repeat(20)
const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
const totalOf = ({ user, system }: NodeJS.CpuUsage): number => user + system

let stored = 0
const store = (purser: Purser): Promise<unknown> => purser.user('user').answers.remember({ n: stored++ }, () => answer)

/** Microseconds for one answer. */
interface Cost {
  /** Until the caller has the answer. */
  readonly wait: number
  /** Processor time of this thread. */
  readonly serving: number
  /** Processor time of all other threads. */
  readonly writing: number
}

async function measureRound(purser: Purser): Promise<Cost> {
  const all = process.cpuUsage()
  const own = process.threadCpuUsage()
  const begin = performance.now()
  for (let sample = 0; sample < ROUND_ANSWERS; sample++) await store(purser)
  const wait = ((performance.now() - begin) * 1_000) / ROUND_ANSWERS
  await purser.answers.flush()
  const serving = totalOf(process.threadCpuUsage(own)) / ROUND_ANSWERS
  return { wait, serving, writing: totalOf(process.cpuUsage(all)) / ROUND_ANSWERS - serving }
}

async function measure(purser: Purser): Promise<Cost> {
  const rounds: Cost[] = []
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measureRound(purser))
  const of = (name: keyof Cost): number => median(rounds.map((round) => round[name]))
  return { wait: of('wait'), serving: of('serving'), writing: of('writing') }
}

async function fill(purser: Purser, size: number): Promise<void> {
  while (purser.answers.stats().entries < size) {
    for (let n = 0; n < Math.min(500, size); n++) await store(purser)
    await purser.answers.flush()
  }
}

const file: Record<string, unknown> = {}
const path = join(folder, 'ai_responses.json')
function addToFile(n: number): void {
  file[`${n}`.padStart(64, '0')] = { response: answer, created_at: n, last_accessed: n, text_length: answer.length }
}

/** Median, microseconds. */
function measureFile(size: number): number {
  while (Object.keys(file).length < size) addToFile(Object.keys(file).length)
  const times: number[] = []
  for (let sample = 0; sample < 20; sample++) {
    const begin = performance.now()
    addToFile(size + sample)
    writeFileSync(`${path}.tmp`, JSON.stringify(file, null, 2))
    renameSync(`${path}.tmp`, path)
    times.push((performance.now() - begin) * 1_000)
  }
  return median(times)
}

function print(name: string, { wait, serving, writing }: Cost, wholeFile: string): void {
  const numbers = [wait, serving, writing].map((us) => us.toFixed(0).padStart(12))
  console.log(`${name.padStart(16)} ${numbers.join(' ')} ${wholeFile.padStart(12)}`)
}

const limits = { maxEntries: 10_000_000, maxBytes: 100 * 2 ** 30 }
await using purser = await openPurser({ store: `sqlite:${join(folder, 'purser.db')}`, answers: limits })
await measure(purser)
console.log('Microseconds to store one more answer: medians\n')
console.log('         entries         wait      serving      writing   whole file')
const costs: number[] = []
for (const size of sizes) {
  await fill(purser, size)
  const cost = await measure(purser)
  costs.push(cost.serving + cost.writing)
  print(`${size}`, cost, size <= FILE_MAX_ENTRIES ? measureFile(size).toFixed(0) : '')
}
await using full = await openPurser({ store: `sqlite:${join(folder, 'full.db')}` })
await fill(full, full.answers.stats().maxEntries)
print('full, of 10000', await measure(full), '')

const growth = Math.max(...costs) / Math.min(...costs)
console.log(
  `\nGoal: the processor times are within 2 x of each other. ${growth.toFixed(2)} x: ${growth <= 2 ? 'met' : 'missed'}.`,
)
rmSync(folder, { recursive: true })
process.exitCode = growth <= 2 ? 0 : 1
