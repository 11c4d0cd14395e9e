/*
 * Rate of commits of the PostgreSQL driver, relative to prepared upserts of the same bytes in the same groups, and chat
 * requests through the gateway on PostgreSQL relative to SQLite. Both in interleaved slices, so that other load of the machine
 * affects both sides. The program creates two schemas of its own and drops them at the end.
 *
 *   npm run postgres -- postgres://USER@HOST/DATABASE [rounds, 5] [callers, 64]
 *
 * Pages of a list of a million users: npm run listing -- 1000000 'postgres://USER@HOST/DATABASE?schema=bench_list'
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { postgresStore } from 'purser/postgres'
import type { Commit } from '../packages/purser/src/storage/commit.ts'
import { type Contender, startOnStores } from './gateway/contenders.ts'
import { measureLoad } from './gateway/load.ts'
import { startOnPrintedPort } from './gateway/processes.ts'
import { formatInteger, median } from './ledger/figures.ts'

const [address = '', rounds = '5', callers = '64'] = process.argv.slice(2)
const ROUNDS = Number(rounds)
const CALLERS = Number(callers)
const SLICE_MS = 1_000
const SECONDS = 2
const WARM_UP_SECONDS = 8
const NAMESPACE = 'bench'
/** As many as the driver runs at once. */
const STATEMENTS = 2
const FACETS = { phase: 'dormant', riskLevel: 'low', blocked: false, capUsed: 0.5, capUsedUntil: 1e13, peak: 0.5 }
const SCHEMAS = ['purser_bench', 'purser_bench_gateway']

/** What an admission writes: usage, the use of the cap and the time the user was seen. */
function admissionOf(expect: number | null): Commit {
  const now = Date.now()
  const usage = JSON.stringify({ daily: { window: now, used: expect ?? 0, tokens: 123_456 } })
  const facets = { ...FACETS, capUsed: (expect ?? 0) / 1_000_000 }
  const lists = { events: [], records: [], trims: [], replies: [] }
  return { expect, incarnation: 1, tag: expect === null ? 'tag' : null, at: now, seenAt: now, facets, usage, ...lists }
}

/** Returns writes per second of one slice. */
async function measure(run: (isOver: () => boolean) => Promise<number>): Promise<number> {
  const startedAt = performance.now()
  const writes = await run(() => performance.now() - startedAt >= SLICE_MS)
  return writes / ((performance.now() - startedAt) / 1_000)
}

const schemaUrl = (schema: string): string => {
  const url = new URL(address)
  url.searchParams.set('schema', schema)
  return url.href
}

const [store, pool] = [postgresStore({ url: schemaUrl(SCHEMAS[0] ?? '') }), new pg.Pool({ connectionString: address })]
const revisions = new Map<string, number>()

async function writeByDriver(isOver: () => boolean): Promise<number> {
  let writes = 0
  const call = async (id: string): Promise<void> => {
    while (!isOver()) {
      const outcome = await store.users.commit({ namespace: NAMESPACE, id }, admissionOf(revisions.get(id) ?? null))
      if (!outcome.ok) throw new Error('The commit was refused.')
      revisions.set(id, outcome.revision)
      writes++
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, (_, index) => call(`user-${index}`)))
  return writes
}

/** Each statement upserts its share of the callers, which all wait for it. */
async function writeRaw(isOver: () => boolean): Promise<number> {
  let writes = 0
  const statements = Math.min(STATEMENTS, CALLERS)
  const call = async (first: number): Promise<void> => {
    const ids = Array.from({ length: CALLERS / statements }, (_, index) => `user-${first + index * statements}`)
    while (!isOver()) {
      const values = ids.map(() => JSON.stringify(admissionOf(writes)))
      const text = `INSERT INTO ${SCHEMAS[0]}.raw SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT (id) DO UPDATE SET value = excluded.value`
      await pool.query({ name: 'raw', text, values: [ids, values] })
      writes += ids.length
    }
  }
  await Promise.all(Array.from({ length: statements }, (_, index) => call(index)))
  return writes
}

async function compareCommits(): Promise<void> {
  await store.meta.get('warm-up')
  await pool.query(
    `CREATE TABLE IF NOT EXISTS ${SCHEMAS[0]}.raw (id text COLLATE "C" PRIMARY KEY, value text NOT NULL)`,
  )
  await Promise.all([measure(writeRaw), measure(writeByDriver)])
  const rates: { readonly raw: number; readonly driver: number }[] = []
  for (let round = 0; round < ROUNDS; round++)
    rates.push({ raw: await measure(writeRaw), driver: await measure(writeByDriver) })
  console.log(`raw upserts  ${formatInteger(median(rates.map(({ raw }) => raw)))}/s`)
  console.log(`driver       ${formatInteger(median(rates.map(({ driver }) => driver)))} commits/s`)
  console.log(`ratio        ${median(rates.map(({ raw, driver }) => driver / raw)).toFixed(2)} (goal 0.50)\n`)
}

async function compareGateways(): Promise<void> {
  const directory = import.meta.dirname
  const folder = mkdtempSync(join(tmpdir(), 'purser-load-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rmSync(folder, { recursive: true }))
  const upstream = stack.use(await startOnPrintedPort([join(directory, 'gateway', 'upstream.ts')]))
  const origin = `http://127.0.0.1:${upstream.port}`
  const [sqlite, postgres] = await startOnStores(stack, { directory, origin }, [undefined, schemaUrl(SCHEMAS[1] ?? '')])
  const load = async (contender: Contender | undefined, seconds = SECONDS): Promise<number> => {
    if (contender === undefined) throw new Error('A gateway is missing.')
    const result = await measureLoad({ ...contender, connections: 32, seconds, folder })
    if (result.failed > 0) throw new Error(`${contender.name}: ${result.failed} requests failed.`)
    return result.requestsPerSecond
  }
  // Until every user has been seen once.
  await load(sqlite, WARM_UP_SECONDS)
  await load(postgres, WARM_UP_SECONDS)
  const rates: { readonly sqlite: number; readonly postgres: number }[] = []
  for (let round = 0; round < ROUNDS; round++)
    rates.push({ sqlite: await load(sqlite), postgres: await load(postgres) })
  console.log(`gateway on SQLite      ${formatInteger(median(rates.map((rate) => rate.sqlite)))} requests/s`)
  console.log(`gateway on PostgreSQL  ${formatInteger(median(rates.map((rate) => rate.postgres)))} requests/s`)
  console.log(
    `ratio                  ${median(rates.map((rate) => rate.postgres / rate.sqlite)).toFixed(2)} (goal 0.50)`,
  )
}

try {
  await compareCommits()
  await compareGateways()
} finally {
  await store.close()
  for (const schema of SCHEMAS) await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
  await pool.end()
}
