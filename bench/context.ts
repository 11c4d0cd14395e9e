/*
 * What a warm context costs, beside the libraries one would otherwise keep it in. One process, one hot set, the same
 * users in the same order for everybody, rounds taken in turn so that a busy machine is unfair to all alike.
 */
import { LRUCache } from 'lru-cache'
import { openPurser } from 'purser'
import { CONTENDERS } from './context/peers.ts'

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
const opened = await Promise.all(Object.values(CONTENDERS).map((open) => open(task)))
for (const contender of opened) for (const id of ids) await contender.get(id)
for (const contender of opened) {
  if (contender.name === 'purser')
    asynchronous('purser resolve', (index) => (contexts[index] as (typeof contexts)[0]).resolve())
  else asynchronous(contender.name, (index) => contender.get(ids[index] as string))
}
asynchronous('purser user(id).context.resolve', (index) => purser.user(ids[index] as string).context.resolve())

for (let round = 0; round < ROUNDS + 2; round++) {
  for (const row of rows) {
    // Processor time, not time: what others do on the machine is not counted.
    const startedAt = process.cpuUsage()
    await row.run()
    const { user, system } = process.cpuUsage(startedAt)
    const nanoseconds = ((user + system) * 1_000) / CALLS
    if (round >= 2) row.nanoseconds.push(nanoseconds)
  }
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0
const of = (name: string): number => median(rows.find((row) => row.name === name)?.nanoseconds ?? [])
for (const { name, nanoseconds } of rows)
  console.log(
    `${name.padEnd(32)} ${median(nanoseconds).toFixed(0).padStart(7)} ns   (best ${Math.min(...nanoseconds).toFixed(0)})`,
  )
console.log(`\npeek is ${(of('purser peek') / of('lru-cache get')).toFixed(2)} x an lru-cache get`)
console.log(`resolve is ${(of('purser resolve') / of('lru-cache fetch')).toFixed(2)} x an lru-cache fetch`)
console.log(`resolve is ${(of('bentocache') / of('purser resolve')).toFixed(1)} x as fast as bentocache getOrSet`)

await Promise.all(opened.map((contender) => contender.close()))
await purser.close()

// 1,000,000 different users, one after the other: memory must not grow with them.
const many = await openPurser({ store: 'memory:', context: { sources: { profile, actions: async () => null } } })
const heap = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1_048_576
}
const total = Number(process.argv[3] ?? 1_000_000)
const measured: string[] = []
for (let user = 1; user <= total; user++) {
  await many.user(`visitor-${user}`).context.resolve()
  if (user === total / 10 || user === total / 2 || user === total)
    measured.push(`${heap().toFixed(0)} MiB after ${user.toLocaleString('en')}`)
}
console.log(`\n${total.toLocaleString('en')} different users: ${measured.join(', ')}`)
await many.close()
