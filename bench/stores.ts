/*
 * Chat requests through the gateway with everything on, on SQLite, on Redis, and on Redis with two instances that share the
 * load. The gateways are measured in interleaved slices; the processor time of the Redis server is counted as well.
 *
 *   npm run stores -- [rounds, 5] [connections, 32]
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '../packages/purser/test/support/free-port.ts'
import { CAP, type Contender, SAME_QUESTION, startPurser } from './gateway/contenders.ts'
import { measureLoad } from './gateway/load.ts'
import { startOnPrintedPort } from './gateway/processes.ts'
import { formatInteger, median } from './ledger/figures.ts'

const ROUNDS = Number(process.argv[2] ?? 5)
const CONNECTIONS = Number(process.argv[3] ?? 32)
const SECONDS = 2
const WARM_UP_SECONDS = 8
const TICK_MICROS = 10_000

const directory = import.meta.dirname
const folder = mkdtempSync(join(tmpdir(), 'purser-bench-stores-'))
await using stack = new AsyncDisposableStack()
stack.defer(() => rmSync(folder, { recursive: true }))
const port = await findFreePort()
const flags = [
  '--port',
  String(port),
  '--dir',
  folder,
  '--appendonly',
  'yes',
  '--appendfsync',
  'everysec',
  '--save',
  '',
]
const redis = spawn('redis-server', flags, { stdio: 'ignore' })
stack.defer(() => void redis.kill('SIGKILL'))
const upstream = stack.use(await startOnPrintedPort([join(directory, 'gateway', 'upstream.ts')]))
const start = { stack, directory, origin: `http://127.0.0.1:${upstream.port}` }
const secretKey = Buffer.alloc(32, 7).toString('base64')

const onRedis = (name: string, prefix: string): Promise<Contender> =>
  startPurser(start, {
    name,
    config: { ...CAP, store: `redis://127.0.0.1:${port}/0?prefix=${prefix}`, secretKey },
    body: SAME_QUESTION,
  })

interface Row {
  readonly name: string
  readonly instances: readonly Contender[]
  readonly rates: number[]
  /** Per request, of the gateways and of the Redis server. */
  readonly micros: number[]
}

const row = (name: string, ...instances: Contender[]): Row => ({ name, instances, rates: [], micros: [] })
const rows = [
  row('SQLite', await startPurser(start, { name: 'SQLite', config: CAP, body: SAME_QUESTION })),
  row('Redis', await onRedis('Redis', 'one')),
  row('Redis, two instances', await onRedis('Redis, first', 'two'), await onRedis('Redis, second', 'two')),
]

function redisMicros(): number {
  const stat = readFileSync(`/proc/${redis.pid}/stat`, 'utf8').split(' ')
  return (Number(stat[13]) + Number(stat[14])) * TICK_MICROS
}

async function measure({ instances, rates, micros }: Row, seconds = SECONDS): Promise<void> {
  const used = (): number => redisMicros() + instances.reduce((sum, { server }) => sum + server.processorMicros(), 0)
  const before = used()
  const connections = CONNECTIONS / instances.length
  const loads = instances.map((instance) => measureLoad({ ...instance, connections, seconds, folder }))
  const results = await Promise.all(loads)
  if (results.some(({ failed }) => failed > 0)) throw new Error('Some requests failed.')
  rates.push(results.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0))
  micros.push((used() - before) / results.reduce((sum, { requests }) => sum + requests, 0))
}

// Until every user has been seen once.
for (const each of rows) await measure(each, WARM_UP_SECONDS)
for (const { rates, micros } of rows) {
  rates.length = 0
  micros.length = 0
}
for (let round = 0; round < ROUNDS; round++) for (const each of rows) await measure(each)

console.log('| store | requests/s | processor us a request | of SQLite |\n|---|--:|--:|--:|')
const [sqlite, one, two] = rows as [Row, Row, Row]
for (const { name, rates, micros } of rows) {
  const ratio = median(rates) / median(sqlite.rates)
  console.log(`| ${name} | ${formatInteger(median(rates))} | ${median(micros).toFixed(0)} | ${ratio.toFixed(2)} |`)
}
console.log(`\nGateway on Redis: ${(median(one.rates) / median(sqlite.rates)).toFixed(2)} of SQLite (goal 0.70).`)
console.log(`Processor time with two instances: ${(median(two.micros) / median(one.micros)).toFixed(2)} x (goal 1.15).`)
