/*
 * What records of turns and sums cost: chat requests through two gateways, of which one records nothing, in interleaved
 * slices. Both have everything else on.
 *
 *   npm run records -- [--rounds 15] [--seconds 2]
 *   npm run records -- --writer   # only what SQLite's writer does for a turn
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CAP, type Contender, SAME_QUESTION, startPurser } from './gateway/contenders.ts'
import { type LoadSlice, measureSlice } from './gateway/load.ts'
import { startOnPrintedPort } from './gateway/processes.ts'
import { median } from './ledger/figures.ts'
import { measureWriter, TURNS_OF_TRANSACTION, USERS } from './records/writer-costs.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string' }, seconds: { type: 'string' }, writer: { type: 'boolean' } },
})
const rounds = Number(values.rounds ?? 15)
const seconds = Number(values.seconds ?? 2)
const CONNECTIONS = 32
/** Until V8 has compiled what it is going to compile. */
const WARM_UP_REQUESTS = 40_000
const GOAL = 0.05

const directory = import.meta.dirname
const folder = mkdtempSync(join(tmpdir(), 'purser-records-'))
await using stack = new AsyncDisposableStack()
stack.defer(() => rmSync(folder, { recursive: true }))
await printWriterCosts()
if (values.writer) {
  await stack.disposeAsync()
  process.exit()
}
const upstream = stack.use(await startOnPrintedPort([join(directory, 'gateway', 'upstream.ts')]))
const start = { stack, directory, origin: `http://127.0.0.1:${upstream.port}` }
const options = { config: CAP, body: SAME_QUESTION }
const preloaded = join(directory, 'gateway', 'without-records.ts')
/** Both run the sources. */
const nothing = 'data:text/javascript,'
const recording = await startPurser(start, { name: 'records and sums', ...options, preloaded: nothing })
const silent = await startPurser(start, { name: 'neither', ...options, preloaded })
for (const contender of [recording, silent])
  for (let requests = 0; requests < WARM_UP_REQUESTS; ) requests += (await measure(contender)).requests

const slices = new Map<Contender, LoadSlice[]>([recording, silent].map((contender) => [contender, []]))
for (let round = 0; round < rounds; round++) {
  // Each is the first one in every other round.
  const order = round % 2 === 0 ? [recording, silent] : [silent, recording]
  for (const contender of order) slices.get(contender)?.push(await measure(contender))
}
console.log(`${CONNECTIONS} connections, medians of ${rounds} slices of ${seconds} s\n`)
console.log('| | requests/s | processor µs | not 200 |\n|---|--:|--:|--:|')
for (const [{ name }, all] of slices) {
  const rate = Math.round(median(all.map(({ requestsPerSecond }) => requestsPerSecond)))
  const micros = median(all.map(({ processorMicros }) => processorMicros)).toFixed(1)
  console.log(`| ${name} | ${rate} | ${micros} | ${all.reduce((sum, { failed }) => sum + failed, 0)} |`)
}
const [withRecords = [], without = []] = [...slices.values()]
const lost = 1 - median(withRecords.map((slice, round) => slice.requestsPerSecond / rateIn(without, round)))
const added = median(withRecords.map((slice, round) => slice.processorMicros / microsIn(without, round))) - 1
console.log(
  `\nthroughput lost ${percent(lost)}, processor time added ${percent(added)} (goal ${percent(GOAL)} of throughput)`,
)

async function printWriterCosts(): Promise<void> {
  console.log(`writer of SQLite, ${USERS} users, ${TURNS_OF_TRANSACTION} turns in a transaction, for a turn\n`)
  console.log('| | processor µs | KiB of log |\n|---|--:|--:|')
  for (const isRecording of [false, true]) {
    const { processorMicros, logKib } = await measureWriter(folder, isRecording)
    const name = isRecording ? 'and records and sums' : "the user's row, twice"
    console.log(`| ${name} | ${processorMicros.toFixed(1)} | ${logKib.toFixed(1)} |`)
  }
  console.log()
}

function measure(contender: Contender): Promise<LoadSlice> {
  return measureSlice(contender.server, { ...contender, connections: CONNECTIONS, seconds, folder })
}

/** Slices of one round see the same load of the machine. */
function rateIn(all: readonly LoadSlice[], round: number): number {
  return all[round]?.requestsPerSecond ?? Number.NaN
}

function microsIn(all: readonly LoadSlice[], round: number): number {
  return all[round]?.processorMicros ?? Number.NaN
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`
}
