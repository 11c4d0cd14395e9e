/*
 * What it costs to take a user's runtime into use: warm acquire and release, ten thousand live runtimes in memory,
 * and whether memory stays flat over many cycles and over a crowd of made-up ids that only look.
 * Goals: p50 <= 2 us, 10,000 live <= 60 MB, no growth.
 */
import { openPurser } from 'purser'

const USERS = 10_000
const CALLS = Number(process.argv[2] ?? 200_000)
const ROUNDS = 5
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined)

await using purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo' } },
})
const idle = heapBytes()
const runtimes = Array.from({ length: USERS }, (_, index) => purser.user(`user-${index}`).runtime)
for (const runtime of runtimes) (await runtime.acquire()).release()
const live = purser.runtime.active().length
const liveBytes = heapBytes() - idle

for (let round = 1; round <= ROUNDS; round++) {
  const nanoseconds = new Float64Array(CALLS)
  for (let call = 0; call < CALLS; call++) {
    const runtime = runtimes[(call * 7_919) % USERS]
    const startedAt = process.hrtime.bigint()
    const lease = await runtime?.acquire()
    lease?.release()
    nanoseconds[call] = Number(process.hrtime.bigint() - startedAt)
  }
  nanoseconds.sort()
  const at = (part: number): string => String(nanoseconds[Math.floor(CALLS * part)]).padStart(6)
  console.log(`acquire and release, round ${round}     p50 ${at(0.5)} ns   p99 ${at(0.99)} ns`)
}
console.log(`${live} live runtimes          ${megabytes(liveBytes)} MB`)

const { signal } = new AbortController()
const before = heapBytes()
for (let call = 0; call < 100_000; call++) (await runtimes[call % USERS]?.acquire({ signal }))?.release()
console.log(`100,000 cycles more            ${megabytes(heapBytes() - before)} MB`)

const beforeCrowd = heapBytes()
for (let index = 0; index < 100_000; index++) await purser.user(`hostile-${index}`).runtime.settings()
console.log(`100,000 strangers that look    ${megabytes(heapBytes() - beforeCrowd)} MB`)

function heapBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
