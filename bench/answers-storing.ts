/*
 * Does keeping an answer cost more, the more are kept already? Purser on SQLite against the design it comes from, which
 * writes one JSON file anew for every answer. `--full` goes on to a million entries.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPurser } from '../packages/purser/src/index.ts'

const sizes = [100, 1_000, 10_000, 100_000, ...(process.argv.includes('--full') ? [1_000_000] : [])]
const WHOLE_FILE_UP_TO = 10_000
const SAMPLES = 200
const answer = 'An answer of some length. '.repeat(20)
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number

async function timed(work: (sample: number) => unknown, samples: number): Promise<number> {
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
const { answers } = purser.user('somebody')
let kept = 0
const keep = (): Promise<unknown> => answers.remember({ n: kept++ }, () => answer)

const file: Record<string, unknown> = {}
const path = join(folder, 'ai_responses.json')
function keepInFile(n: number): void {
  file[`${n}`.padStart(64, '0')] = { response: answer, created_at: n, last_accessed: n, text_length: answer.length }
  writeFileSync(`${path}.tmp`, JSON.stringify(file, null, 2))
  renameSync(`${path}.tmp`, path)
}

console.log('Median time to keep one more answer\n\nentries      purser   whole file')
const medians: number[] = []
for (const size of sizes) {
  while (kept < size) await Promise.all(Array.from({ length: Math.min(500, size - kept) }, keep))
  const us = await timed(keep, SAMPLES)
  medians.push(us)
  for (let n = Object.keys(file).length; n < Math.min(size, WHOLE_FILE_UP_TO); n++)
    file[`${n}`.padStart(64, '0')] = { response: answer, created_at: n, last_accessed: n, text_length: answer.length }
  const whole = size <= WHOLE_FILE_UP_TO ? `${(await timed((n) => keepInFile(size + n), 20)).toFixed(0)} us` : ''
  console.log(`${`${size}`.padStart(7)} ${us.toFixed(0).padStart(8)} us ${whole.padStart(12)}`)
}
const growth = Math.max(...medians) / Math.min(...medians)
console.log(
  `\nAim: the medians lie within 2 x of each other: ${growth.toFixed(2)} x. ${growth <= 2 ? 'Met.' : 'Missed.'}`,
)
rmSync(folder, { recursive: true })
process.exitCode = growth <= 2 ? 0 : 1
