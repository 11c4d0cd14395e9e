/*
 * Results for callers when the backend of a context fails or hangs: the same scenarios with every library, each configured
 * as its documentation advises (context/libraries.ts). Prints a Markdown table.
 *
 * A call that has no result after ten times its budget counts as one that never gets a result.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cache, LIBRARIES } from './context/libraries.ts'

const BUDGET_MS = 300
const NEVER_MS = BUDGET_MS * 10
const TTL_MS = 1_000
const USERS = 500

type Behavior = 'normal' | 'slow' | 'hangs' | 'rejects' | 'throws'

/** A backend that records its calls. */
function createBackend() {
  const state = {
    behavior: 'normal' as Behavior,
    version: 1,
    calls: 0,
    pending: 0,
    maxPending: 0,
    release: [] as (() => void)[],
  }
  async function call(user: string): Promise<object> {
    state.calls += 1
    if (state.behavior === 'throws') throw new TypeError('backend is broken')
    if (state.behavior === 'rejects') return Promise.reject(new Error('backend is down'))
    const version = state.version
    state.pending += 1
    state.maxPending = Math.max(state.maxPending, state.pending)
    try {
      if (state.behavior === 'slow') await new Promise<void>((resolve) => state.release.push(resolve))
      if (state.behavior === 'hangs') await new Promise<never>(() => undefined)
      return { user, note: `version ${version}` }
    } finally {
      state.pending -= 1
    }
  }
  return { state, call }
}

interface Result {
  readonly waitedMs: number
  readonly outcome: 'value' | 'nothing' | 'threw' | 'never'
  readonly value: unknown
}

async function get(cache: Cache, user: string): Promise<Result> {
  const startedAt = performance.now()
  const done = (outcome: Result['outcome'], value?: unknown): Result => ({
    waitedMs: performance.now() - startedAt,
    outcome,
    value,
  })
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(done('never')), NEVER_MS)
    const settle = (result: Result): void => {
      clearTimeout(timer)
      resolve(result)
    }
    try {
      cache.get(user).then(
        (value) => settle(done(value === undefined ? 'nothing' : 'value', value)),
        () => settle(done('threw')),
      )
    } catch {
      settle(done('threw'))
    }
  })
}

const slowest = (results: readonly Result[]): string => {
  if (results.some((result) => result.outcome === 'never')) return 'never'
  return `${Math.max(...results.map((result) => result.waitedMs)).toFixed(0)} ms`
}
const threw = (results: readonly Result[]): string =>
  results.some((result) => result.outcome === 'threw') ? ', throws' : ''
const has = (result: Result, text: string): boolean => JSON.stringify(result.value ?? null).includes(text)

type Scenario = (cache: Cache, backend: ReturnType<typeof createBackend>['state']) => Promise<string>

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  '10,000 callers of one cold user: backend calls': async (cache, backend) => {
    await Promise.all(Array.from({ length: 10_000 }, () => get(cache, 'one')))
    return String(backend.calls)
  },
  [`hung backend, ${USERS} cold users: slowest result (budget ${BUDGET_MS} ms)`]: async (cache, backend) => {
    backend.behavior = 'hangs'
    const results = await Promise.all(Array.from({ length: USERS }, (_, index) => get(cache, `u${index}`)))
    return slowest(results) + threw(results)
  },
  'the same: pending backend calls, with one more round of callers': async (cache, backend) => {
    backend.behavior = 'hangs'
    for (let round = 0; round < 2; round++)
      await Promise.all(Array.from({ length: USERS }, (_, index) => get(cache, `u${index}`)))
    return String(backend.maxPending)
  },
  'hung backend, 20 callers of one cold user, one after the other in 50 ms: slowest result': async (cache, backend) => {
    backend.behavior = 'hangs'
    const results: Promise<Result>[] = []
    for (let caller = 0; caller < 20; caller++) {
      results.push(get(cache, 'one'))
      await sleep(50)
    }
    const all = await Promise.all(results)
    return slowest(all) + threw(all)
  },
  'old data and a hung backend: what the next caller gets': async (cache, backend) => {
    await get(cache, 'one')
    backend.behavior = 'hangs'
    await sleep(TTL_MS + 100)
    const result = await get(cache, 'one')
    return `${has(result, 'version 1') ? 'old data' : result.outcome} after ${slowest([result])}`
  },
  'failing backend, cold: what a caller gets, and backend calls for 100 in a row': async (cache, backend) => {
    backend.behavior = 'rejects'
    const results: Result[] = []
    for (let call = 0; call < 100; call++) results.push(await get(cache, 'one'))
    const outcome =
      results[0]?.outcome === 'threw' ? 'an exception' : results[0]?.outcome === 'value' ? 'a default' : 'undefined'
    return `${outcome}, ${backend.calls} calls`
  },
  'a load that began before an invalidation ends after it: the next reader gets': async (cache, backend) => {
    backend.behavior = 'slow'
    const first = get(cache, 'one')
    await sleep(20)
    backend.version = 2
    await cache.invalidate('one')
    for (const release of backend.release) release()
    await first
    await sleep(20)
    backend.behavior = 'normal'
    const result = await get(cache, 'one')
    return has(result, 'version 2') ? 'new data' : has(result, 'version 1') ? 'old data' : result.outcome
  },
}

const unhandled = new Map<string, number>()
let running = ''
process.on('unhandledRejection', () => unhandled.set(running, (unhandled.get(running) ?? 0) + 1))

const names = Object.keys(LIBRARIES)
console.log(`| | ${names.join(' | ')} |\n|--|${names.map(() => '--').join('|')}|`)
for (const [title, run] of Object.entries(SCENARIOS)) {
  const cells: string[] = []
  for (const [name, open] of Object.entries(LIBRARIES)) {
    running = name
    const backend = createBackend()
    const cache = await open({ backend: backend.call, ttlMs: TTL_MS, budgetMs: BUDGET_MS })
    cells.push(await run(cache, backend.state))
    await Promise.race([cache.close(), sleep(500)])
  }
  console.log(`| ${title} | ${cells.join(' | ')} |`)
}
console.log(`| unhandled rejections in all scenarios | ${names.map((name) => unhandled.get(name) ?? 0).join(' | ')} |`)
process.exit(0)
