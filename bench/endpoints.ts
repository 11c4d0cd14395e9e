/*
 * Requests to `/v1/responses` and `/v1/messages`, relayed and translated, compared with chat completions: one gateway, one
 * upstream that answers at once, interleaved slices. Goals: relayed 90 %, translated 60 % of the requests per second of
 * chat completions.
 *
 *   npm run endpoints -- [--rounds 9] [--seconds 1]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findFreePort } from '../packages/purser/test/support/free-port.ts'
import { serverFlags } from '../scripts/setup.mjs'
import { type LoadSlice, measureSlice } from './gateway/load.ts'
import { startOnPort, startOnPrintedPort } from './gateway/processes.ts'
import { median } from './ledger/figures.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string' }, seconds: { type: 'string' } } })
const rounds = Number(values.rounds ?? 9)
const seconds = Number(values.seconds ?? 1)
const CONNECTIONS = 32
const USERS = 1_000
const KEY = 'bench-key-0123456789abcdef0123456789abcdef'

const SYSTEM = 'You are a helpful assistant.'
const QUESTION = 'Say hello.'

interface Row {
  readonly name: string
  readonly path: string
  readonly model: string
  readonly body: object
  /** Of chat completions. */
  readonly goal: number
}

const RESPONSES = { instructions: SYSTEM, input: QUESTION }
const MESSAGES = { system: SYSTEM, max_tokens: 100, messages: [{ role: 'user', content: QUESTION }] }
const CHAT = {
  messages: [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: QUESTION },
  ],
}
const ROWS: readonly Row[] = [
  { name: 'chat completions', path: 'chat/completions', model: 'chat/m', body: CHAT, goal: 1 },
  { name: 'responses, relayed', path: 'responses', model: 'openai/m', body: RESPONSES, goal: 0.9 },
  { name: 'responses, translated', path: 'responses', model: 'chat/m', body: RESPONSES, goal: 0.6 },
  { name: 'messages, relayed', path: 'messages', model: 'claude/m', body: MESSAGES, goal: 0.9 },
  { name: 'messages, translated', path: 'messages', model: 'chat/m', body: MESSAGES, goal: 0.6 },
]

const directory = import.meta.dirname
const folder = mkdtempSync(join(tmpdir(), 'purser-endpoints-'))
await using stack = new AsyncDisposableStack()
stack.defer(() => rmSync(folder, { recursive: true }))
const upstream = stack.use(await startOnPrintedPort([join(directory, 'gateway', 'upstream.ts')]))
const server = stack.use(await startGateway(`http://127.0.0.1:${upstream.port}/v1`))

for (const row of ROWS) await measure(row)
const slices = new Map<Row, LoadSlice[]>(ROWS.map((row) => [row, []]))
for (let round = 0; round < rounds; round++) for (const row of ROWS) slices.get(row)?.push(await measure(row))
const [chat] = ROWS.map((row) => slices.get(row) ?? [])
console.log(`${CONNECTIONS} connections, medians of ${rounds} slices of ${seconds} s\n`)
console.log('| | requests/s | processor µs | not 200 | requests of chat | processor of chat | goal |')
console.log('|---|--:|--:|--:|--:|--:|--:|')
for (const [{ name, goal }, all] of slices) {
  const rate = median(all.map((slice) => slice.requestsPerSecond))
  const micros = median(all.map((slice) => slice.processorMicros))
  const chatMicros = median((chat ?? []).map((slice) => slice.processorMicros))
  // Slices of one round see the same load of the machine.
  const ratio = median(
    all.map((slice, round) => slice.requestsPerSecond / (chat?.[round]?.requestsPerSecond ?? Number.NaN)),
  )
  const failed = all.reduce((sum, slice) => sum + slice.failed, 0)
  const cells = [
    Math.round(rate),
    Math.round(micros),
    failed,
    percent(ratio),
    percent(micros / chatMicros),
    percent(goal),
  ]
  console.log(`| ${name} | ${cells.join(' | ')} |`)
}

async function startGateway(baseURL: string): ReturnType<typeof startOnPort> {
  const port = await findFreePort()
  const file = join(folder, 'purser.config.json')
  const provider = (kind: string): object => ({ kind, baseURL, apiKey: 'bench', models: ['m'] })
  const providers = {
    chat: provider('openai-compatible'),
    openai: provider('openai'),
    claude: provider('anthropic'),
  }
  const defaults = { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'openai/m', 'claude/m'] }
  const store = `sqlite:${join(folder, 'purser.db')}`
  const config = { store, providers, runtime: { defaults }, ledger: { dailyCap: 100_000_000 }, server: { port } }
  writeFileSync(file, JSON.stringify(config))
  const main = join(directory, '..', 'packages', 'server', 'src', 'main.ts')
  const args = [...serverFlags, '--conditions=@purser/source', main, 'serve', '--config', file]
  return startOnPort(args, port, { PURSER_SERVICE_KEY: KEY, PURSER_ADMIN_KEY: `admin-${KEY}` })
}

function measure({ path, model, body }: Row): Promise<LoadSlice> {
  const text = JSON.stringify({ model, user: 'USER', ...body }).replace('USER', `user-' .. (n % ${USERS}) .. '`)
  return measureSlice(server, {
    url: `http://127.0.0.1:${server.port}/v1/${path}`,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: `'${text}'`,
    connections: CONNECTIONS,
    seconds,
    folder,
  })
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`
}
