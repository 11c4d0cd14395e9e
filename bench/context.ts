/*
 * Cost of a cached context, compared with cache libraries that could be used instead. All of them run in one process, with
 * the same users in the same order. Rounds are interleaved, so that other load of the machine affects all of them.
 */
import { LRUCache } from 'lru-cache'
import { openPurser } from 'purser'
import { LIBRARIES } from './context/libraries.ts'
import { median } from './ledger/figures.ts'

const USERS = 1_000
const CALLS = Number(process.argv[2] ?? 200_000)
const ROUNDS = 9

const ids = Array.from({ length: USERS }, (_, index) => `user-${(index * 7_919) % USERS}`)
const profile = (user: string): Promise<object> => Promise.resolve({ name: user, plan: 'gold', city: 'Pune' })
const task = { backend: profile, ttlMs: 3_600_000, budgetMs: 1_500 }

interface Row {
  readonly name: string
  readonly run: () => Promise<void> | void
  readonly nanoseconds: number[]
}

const purser = await openPurser({
  store: 'memory:',
  context: { ttlMs: task.ttlMs, sources: { profile, actions: async () => null } },
})
const contexts = ids.map((id) => purser.user(id).context)
for (const context of contexts) await context.resolve()

const values = new LRUCache<string, object>({ max: 10_000, ttl: task.ttlMs })
for (const id of ids) values.set(id, await profile(id))

const rows: Row[] = []
const synchronous = (name: string, get: (index: number) => unknown): void => {
  rows.push({
    name,
    nanoseconds: [],
    run() {
      for (let call = 0; call < CALLS; call++) if (get(call % USERS) === undefined) throw new Error(`${name} missed`)
    },
  })
}
const asynchronous = (name: string, get: (index: number) => Promise<unknown>): void => {
  rows.push({
    name,
    nanoseconds: [],
    async run() {
      for (let call = 0; call < CALLS; call++) await get(call % USERS)
    },
  })
}

synchronous('lru-cache get', (index) => values.get(ids[index] as string))
synchronous('purser peek', (index) => contexts[index]?.peek())
const caches = await Promise.all(Object.values(LIBRARIES).map((open) => open(task)))
for (const cache of caches) for (const id of ids) await cache.get(id)
for (const cache of caches) {
  if (cache.name === 'purser')
    asynchronous('purser resolve', (index) => (contexts[index] as (typeof contexts)[0]).resolve())
  else asynchronous(cache.name, (index) => cache.get(ids[index] as string))
}
asynchronous('purser user(id).context.resolve', (index) => purser.user(ids[index] as string).context.resolve())

for (let round = 0; round < ROUNDS + 2; round++) {
  for (const row of rows) {
    // Processor time: other processes on the machine are not counted.
    const startedAt = process.cpuUsage()
    await row.run()
    const { user, system } = process.cpuUsage(startedAt)
    const nanoseconds = ((user + system) * 1_000) / CALLS
    if (round >= 2) row.nanoseconds.push(nanoseconds)
  }
}

const medianOf = (name: string): number => median(rows.find((row) => row.name === name)?.nanoseconds ?? [])
for (const { name, nanoseconds } of rows)
  console.log(
    `${name.padEnd(32)} ${median(nanoseconds).toFixed(0).padStart(7)} ns   (best ${Math.min(...nanoseconds).toFixed(0)})`,
  )
console.log(`\npeek is ${(medianOf('purser peek') / medianOf('lru-cache get')).toFixed(2)} x an lru-cache get`)
console.log(`resolve is ${(medianOf('purser resolve') / medianOf('lru-cache fetch')).toFixed(2)} x an lru-cache fetch`)
console.log(
  `resolve is ${(medianOf('bentocache') / medianOf('purser resolve')).toFixed(1)} x as fast as bentocache getOrSet`,
)

await Promise.all(caches.map((cache) => cache.close()))
await purser.close()

// Memory must not grow with the number of different users.
const manyUsers = await openPurser({ store: 'memory:', context: { sources: { profile, actions: async () => null } } })
const heap = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1_048_576
}
const total = Number(process.argv[3] ?? 1_000_000)
const measured: string[] = []
for (let user = 1; user <= total; user++) {
  await manyUsers.user(`visitor-${user}`).context.resolve()
  if (user === total / 10 || user === total / 2 || user === total)
    measured.push(`${heap().toFixed(0)} MiB after ${user.toLocaleString('en')}`)
}
console.log(`\n${total.toLocaleString('en')} different users: ${measured.join(', ')}`)
await manyUsers.close()
