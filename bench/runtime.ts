/*
 * Cost of acquiring a user's runtime: time of a warm acquire and release, memory of 10,000 live runtimes, and growth of
 * memory over many cycles and over reads of many unknown user ids. Goals: p50 <= 2 us, 10,000 runtimes <= 60 MB, no growth.
 *
 *   npm run runtime -- [calls, 200000]
 */
import { openPurser } from 'purser'

const USERS = 10_000
const CALLS = Number(process.argv[2] ?? 200_000)
const ROUNDS = 5
const collectGarbage = (globalThis as { gc?: () => void }).gc ?? (() => undefined)

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
  const quantile = (fraction: number): string => String(nanoseconds[Math.floor(CALLS * fraction)]).padStart(6)
  console.log(`acquire and release, round ${round}     p50 ${quantile(0.5)} ns   p99 ${quantile(0.99)} ns`)
}
console.log(`${live} live runtimes          ${megabytes(liveBytes)} MB`)

const { signal } = new AbortController()
const beforeCycles = heapBytes()
for (let call = 0; call < 100_000; call++) (await runtimes[call % USERS]?.acquire({ signal }))?.release()
console.log(`100,000 more cycles            ${megabytes(heapBytes() - beforeCycles)} MB`)

const beforeReads = heapBytes()
for (let index = 0; index < 100_000; index++) await purser.user(`unknown-${index}`).runtime.settings()
console.log(`100,000 unknown users read     ${megabytes(heapBytes() - beforeReads)} MB`)

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
