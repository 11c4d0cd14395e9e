import { createHook } from 'node:async_hooks'
import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'
import { openPurser } from '../../src/index.ts'

/*
 * Prints how many bytes per turn are allocated, and how many of them are promoted to the old generation, that is, survive
 * two collections of the young one; and how many promises and timers a turn makes, with those of the loop that takes it.
 * Run with a small young generation of a fixed size, so that there are many collections of it and none of the old one.
 */

const USERS = 64
const AT_A_TIME = 16
const [warmUp, measured] = [8_000, 4_000]

const purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo', model: 'demo' } },
  ledger: { dailyCap: 1_000_000 },
})
/** `NODE_PERFORMANCE_GC_MINOR`. */
const MINOR = 1
let majorCollections = 0
new PerformanceObserver((list) => {
  const entries = list.getEntries() as (PerformanceEntry & { readonly detail?: { readonly kind?: number } })[]
  majorCollections += entries.filter(({ detail }) => detail?.kind !== MINOR).length
}).observe({ entryTypes: ['gc'] })

await takeTurns(warmUp)
globalThis.gc?.()
await takeTurns(200)
majorCollections = 0
const before = { old: oldBytes(), all: allocatedBytes() }
await takeTurns(measured)
const promoted = (oldBytes() - before.old) / measured
const allocated = (allocatedBytes() - before.all) / measured
await new Promise((resolve) => setImmediate(resolve))
const { PROMISE: promises = 0, Timeout: timers = 0 } = await countResources(1_000)
process.stdout.write(JSON.stringify({ allocated, promoted, majorCollections, promises, timers }))
await purser.close()

async function takeTurns(count: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await takeTurn(next++)
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, worker))
}

/** How many of each kind of asynchronous resource a turn makes. */
async function countResources(count: number): Promise<Record<string, number>> {
  const made: Record<string, number> = {}
  const hook = createHook({
    init(_id, type) {
      made[type] = (made[type] ?? 0) + 1 / count
    },
  }).enable()
  await takeTurns(count)
  hook.disable()
  return made
}

async function takeTurn(number: number): Promise<void> {
  const turn = await purser.user(`user-${number % USERS}`).turn({ messages: [{ role: 'user', content: 'Hi' }] })
  if (turn.allowed) await turn.completion()
}

function oldBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name: name }) => name.startsWith('old') || name.startsWith('large'))
    .reduce((sum, { space_used_size: bytes }) => sum + bytes, 0)
}

function allocatedBytes(): number {
  return getHeapStatistics().total_allocated_bytes
}
