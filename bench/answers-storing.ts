/*
 * Does the time to store an answer grow with the number of stored answers? Purser on SQLite, compared with the design that
 * it replaces, which rewrites one JSON file for every answer. `--full` continues up to a million entries.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPurser } from '../packages/purser/src/index.ts'

const sizes = [100, 1_000, 10_000, 100_000, ...(process.argv.includes('--full') ? [1_000_000] : [])]
const FILE_MAX_ENTRIES = 10_000
const SAMPLES = 200
const answer = 'An answer of some length. '.repeat(20)
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number

/** Median, microseconds. */
async function medianTime(work: (sample: number) => unknown, samples: number): Promise<number> {
  const times: number[] = []
  for (let sample = 0; sample < samples; sample++) {
    const begin = performance.now()
    await work(sample)
    times.push((performance.now() - begin) * 1_000)
  }
  return median(times)
}

const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
await using purser = await openPurser({
  store: `sqlite:${join(folder, 'purser.db')}`,
  answers: { maxEntries: 10_000_000, maxBytes: 100 * 2 ** 30 },
})
const { answers } = purser.user('user')
let stored = 0
const store = (): Promise<unknown> => answers.remember({ n: stored++ }, () => answer)

const file: Record<string, unknown> = {}
const path = join(folder, 'ai_responses.json')
function addToFile(n: number): void {
  file[`${n}`.padStart(64, '0')] = { response: answer, created_at: n, last_accessed: n, text_length: answer.length }
}
function storeInFile(n: number): void {
  addToFile(n)
  writeFileSync(`${path}.tmp`, JSON.stringify(file, null, 2))
  renameSync(`${path}.tmp`, path)
}

console.log('Median time to store one more answer\n\nentries      purser   whole file')
const medians: number[] = []
for (const size of sizes) {
  while (stored < size) await Promise.all(Array.from({ length: Math.min(500, size - stored) }, store))
  const us = await medianTime(store, SAMPLES)
  medians.push(us)
  for (let n = Object.keys(file).length; n < Math.min(size, FILE_MAX_ENTRIES); n++) addToFile(n)
  const wholeFile =
    size <= FILE_MAX_ENTRIES ? `${(await medianTime((n) => storeInFile(size + n), 20)).toFixed(0)} us` : ''
  console.log(`${`${size}`.padStart(7)} ${us.toFixed(0).padStart(8)} us ${wholeFile.padStart(12)}`)
}
const growth = Math.max(...medians) / Math.min(...medians)
console.log(
  `\nGoal: the medians are within 2 x of each other. ${growth.toFixed(2)} x: ${growth <= 2 ? 'met' : 'missed'}.`,
)
rmSync(folder, { recursive: true })
process.exitCode = growth <= 2 ? 0 : 1
