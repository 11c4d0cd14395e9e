/*
 * How many chat requests a second get through the gateway, and how long one takes: bare, and with everything that
 * Purser keeps for a user switched on, beside Portkey's bare relay. Everything runs on this machine: the load, the
 * upstream (which answers at once) and the gateways share its cores, so only the ratios say anything. All gateways
 * are up and warm, and take turns in short slices, so that a busy moment of the machine hits them alike.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadResult, load } from './gateway/load.ts'
import { freePort, startAnswering, startPrinting } from './gateway/processes.ts'

interface Contender {
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  body(index: number): string
  readonly slices: LoadResult[]
}

const here = import.meta.dirname
const connections = 32
const users = 200
const warmUpMs = 6_000
const sliceMs = 2_000
const rounds = Number(process.argv[2] ?? 5)

const message = JSON.stringify([
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: 'Say hello.' },
])
const same = (index: number): string => `{"model":"m","user":"user-${index % users}","messages":${message}}`
let asked = 0
const other = (index: number): string =>
  `{"model":"m","user":"user-${index % users}","messages":[{"role":"user","content":"Question ${asked++}"}]}`

/** As `npm start` sets it; for all alike. */
const nodeOptions = ['--max-semi-space-size=32']
const running = new AsyncDisposableStack()
const contenders: Contender[] = []
const json = { 'content-type': 'application/json' }

const upstream = running.use(await startPrinting([join(here, 'gateway', 'upstream.ts')]))
const baseURL = `http://127.0.0.1:${upstream.port}/v1`

async function addPortkey(): Promise<void> {
  const program = join(here, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
  const port = await freePort()
  running.use(await startAnswering([...nodeOptions, program, '--headless', `--port=${port}`], port))
  const headers = {
    ...json,
    authorization: 'Bearer bench',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': baseURL,
  }
  add('Portkey 1.15.2, bare relay', port, headers, same)
}

/** What answers everybody the same, to tell what is possible at all. */
async function addBare(name: string, kind: 'http' | 'fastify'): Promise<void> {
  const port = await freePort()
  running.use(await startAnswering([...nodeOptions, join(here, 'gateway', 'bare.ts'), kind, String(port)], port))
  add(name, port, json, same)
}

async function addPurser(name: string, config: object, body: Contender['body']): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
  running.defer(() => rmSync(folder, { recursive: true }))
  const port = await freePort()
  const file = join(folder, 'purser.config.json')
  const providers = { local: { kind: 'openai-compatible', baseURL, apiKey: 'bench', models: ['m'] } }
  const runtime = { defaults: { provider: 'local', model: 'm' } }
  const store = `sqlite:${join(folder, 'purser.db')}`
  writeFileSync(file, JSON.stringify({ store, providers, runtime, server: { port }, ...config }))
  const main = join(here, '..', 'packages', 'server', 'src', 'main.ts')
  const serve = ['serve', '--config', file]
  const env = { PURSER_SERVICE_KEY: 'bench-service-key', PURSER_ADMIN_KEY: 'bench-admin-key' }
  running.use(await startAnswering([...nodeOptions, '--conditions=@purser/source', main, ...serve], port, env))
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
await addBare('bare `node:http`, the same text to everybody', 'http')
await addBare('bare Fastify, reads JSON, the same text to everybody', 'fastify')
await addPurser('Purser, SQLite, no cap', {}, same)
await addPurser('Purser, SQLite, cap, context, ledger', { ledger: cap }, same)
await addPurser('Purser, memory store, cap, context, ledger', { store: 'memory:', ledger: cap }, same)
await addPurser('Purser, SQLite, and answers: every request new', { ledger: cap, answers: { enabled: true } }, other)
await addPurser('Purser, SQLite, and answers: kept before', { ledger: cap, answers: { enabled: true } }, same)

for (const contender of contenders) await load({ ...contender, connections, durationMs: warmUpMs })
for (let round = 0; round < rounds; round++) {
  for (const contender of contenders) {
    contender.slices.push(await load({ ...contender, connections, durationMs: sliceMs }))
  }
}
await running.disposeAsync()

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
