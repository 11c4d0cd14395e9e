/*
 * Throughput and latency of chat requests through the gateway with several configurations, compared with Portkey as a bare
 * relay. The load generator, the upstream (which answers at once) and the gateways share the cores of this machine, so only
 * ratios are meaningful. All gateways are started and warmed up first; then they are measured in interleaved short slices,
 * so that other load of the machine affects all of them.
 *
 *   npm run gateway -- [rounds, 5]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadResult, measureLoad } from './gateway/load.ts'
import { findFreePort, startOnPort, startOnPrintedPort } from './gateway/processes.ts'

interface Contender {
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  body(index: number): string
  readonly slices: LoadResult[]
}

const directory = import.meta.dirname
const connections = 32
const users = 200
const warmUpMs = 6_000
const sliceMs = 2_000
const rounds = Number(process.argv[2] ?? 5)

const message = JSON.stringify([
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: 'Say hello.' },
])
const repeatedBody = (index: number): string => `{"model":"m","user":"user-${index % users}","messages":${message}}`
let questions = 0
const newBody = (index: number): string =>
  `{"model":"m","user":"user-${index % users}","messages":[{"role":"user","content":"Question ${questions++}"}]}`

/** As `npm start` sets it; the same for all gateways. */
const nodeOptions = ['--max-semi-space-size=32']
const processes = new AsyncDisposableStack()
const contenders: Contender[] = []
const json = { 'content-type': 'application/json' }

const upstream = processes.use(await startOnPrintedPort([join(directory, 'gateway', 'upstream.ts')]))
const baseURL = `http://127.0.0.1:${upstream.port}/v1`

async function addPortkey(): Promise<void> {
  const program = join(directory, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
  const port = await findFreePort()
  processes.use(await startOnPort([...nodeOptions, program, '--headless', `--port=${port}`], port))
  const headers = {
    ...json,
    authorization: 'Bearer bench',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': baseURL,
  }
  add('Portkey 1.15.2, bare relay', port, headers, repeatedBody)
}

/** A server that sends the same text to every request: the upper bound. */
async function addBaseline(name: string, kind: 'http' | 'fastify'): Promise<void> {
  const port = await findFreePort()
  processes.use(
    await startOnPort([...nodeOptions, join(directory, 'gateway', 'baseline.ts'), kind, String(port)], port),
  )
  add(name, port, json, repeatedBody)
}

async function addPurser(name: string, config: object, body: Contender['body']): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
  processes.defer(() => rmSync(folder, { recursive: true }))
  const port = await findFreePort()
  const file = join(folder, 'purser.config.json')
  const providers = { local: { kind: 'openai-compatible', baseURL, apiKey: 'bench', models: ['m'] } }
  const runtime = { defaults: { provider: 'local', model: 'm' } }
  const store = `sqlite:${join(folder, 'purser.db')}`
  writeFileSync(file, JSON.stringify({ store, providers, runtime, server: { port }, ...config }))
  const main = join(directory, '..', 'packages', 'server', 'src', 'main.ts')
  const serve = ['serve', '--config', file]
  const env = { PURSER_SERVICE_KEY: 'bench-service-key', PURSER_ADMIN_KEY: 'bench-admin-key' }
  processes.use(await startOnPort([...nodeOptions, '--conditions=@purser/source', main, ...serve], port, env))
  add(name, port, { ...json, authorization: 'Bearer bench-service-key' }, body)
}

function add(name: string, port: number, headers: Readonly<Record<string, string>>, body: Contender['body']): void {
  contenders.push({ name, url: `http://127.0.0.1:${port}/v1/chat/completions`, headers, body, slices: [] })
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

const cap = { dailyCap: 100_000_000 }
await addPortkey()
await addBaseline('bare `node:http`, the same text for every request', 'http')
await addBaseline('bare Fastify, parses JSON, the same text for every request', 'fastify')
await addPurser('Purser, SQLite, no cap', {}, repeatedBody)
await addPurser('Purser, SQLite, cap, context, ledger', { ledger: cap }, repeatedBody)
await addPurser('Purser, memory store, cap, context, ledger', { store: 'memory:', ledger: cap }, repeatedBody)
await addPurser('Purser, SQLite, answer cache: every request new', { ledger: cap, answers: { enabled: true } }, newBody)
await addPurser(
  'Purser, SQLite, answer cache: every request a hit',
  { ledger: cap, answers: { enabled: true } },
  repeatedBody,
)

for (const contender of contenders) await measureLoad({ ...contender, connections, durationMs: warmUpMs })
for (let round = 0; round < rounds; round++) {
  for (const contender of contenders) {
    contender.slices.push(await measureLoad({ ...contender, connections, durationMs: sliceMs }))
  }
}
await processes.disposeAsync()

const rate = ({ slices }: Contender): number => median(slices.map((slice) => slice.requestsPerSecond))
const base = contenders[0] === undefined ? Number.NaN : rate(contenders[0])
console.log(`\n${connections} connections, ${users} users, medians of ${rounds} slices of ${sliceMs / 1000} s\n`)
console.log('| | requests/s | p50 ms | p99 ms | not 200 | x Portkey |')
console.log('|---|--:|--:|--:|--:|--:|')
for (const contender of contenders) {
  const { name, slices } = contender
  const p50 = median(slices.map((slice) => slice.p50Ms)).toFixed(1)
  const p99 = median(slices.map((slice) => slice.p99Ms)).toFixed(1)
  const failed = slices.reduce((sum, slice) => sum + slice.failed, 0)
  const ratio = (rate(contender) / base).toFixed(1)
  console.log(`| ${name} | ${Math.round(rate(contender))} | ${p50} | ${p99} | ${failed} | ${ratio} |`)
}
