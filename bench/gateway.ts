/*
 * How many chat requests a second get through the gateway, and how long one takes: bare, and with everything that
 * Purser keeps for a user switched on, beside Portkey's bare relay. Everything runs on this machine: the load, the
 * upstream (which answers at once) and the gateway share its cores, so only the ratios say anything.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadResult, load } from './gateway/load.ts'
import { freePort, startAnswering, startPrinting } from './gateway/processes.ts'

const here = import.meta.dirname
const connections = 32
const durationMs = Number(process.argv[2] ?? 8) * 1000
const users = 200

const message = JSON.stringify([
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: 'Say hello.' },
])

await using upstream = await startPrinting([join(here, 'gateway', 'upstream.ts')])
const baseURL = `http://127.0.0.1:${upstream.port}/v1`
const rows: { name: string; result: LoadResult }[] = []

async function measure(
  name: string,
  url: string,
  headers: Record<string, string>,
  body: (index: number) => string,
): Promise<void> {
  const json = { 'content-type': 'application/json', ...headers }
  await load({ url, headers: json, body, connections, durationMs: durationMs / 4 })
  const result = await load({ url, headers: json, body, connections, durationMs })
  rows.push({ name, result })
}

async function measurePurser(name: string, config: object, body: (index: number) => string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
  const port = await freePort()
  const file = join(folder, 'purser.config.json')
  writeFileSync(
    file,
    JSON.stringify({
      store: `sqlite:${join(folder, 'purser.db')}`,
      providers: { local: { kind: 'openai-compatible', baseURL, apiKey: 'bench', models: ['m'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
      server: { port },
      ...config,
    }),
  )
  const main = join(here, '..', 'packages', 'server', 'src', 'main.ts')
  {
    const env = { PURSER_SERVICE_KEY: 'bench-service-key', PURSER_ADMIN_KEY: 'bench-admin-key' }
    await using server = await startAnswering(
      ['--conditions=@purser/source', main, 'serve', '--config', file],
      port,
      env,
    )
    await measure(
      name,
      `http://127.0.0.1:${server.port}/v1/chat/completions`,
      { authorization: 'Bearer bench-service-key' },
      body,
    )
  }
  rmSync(folder, { recursive: true })
}

const asUser = (index: number): string => `{"model":"m","user":"user-${index % users}","messages":${message}}`

await measure('upstream alone', `${baseURL}/chat/completions`, {}, asUser)
{
  const port = await freePort()
  const portkey = join(here, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
  await using server = await startAnswering([portkey, '--headless', `--port=${port}`], port)
  const headers = { authorization: 'Bearer bench', 'x-portkey-provider': 'openai', 'x-portkey-custom-host': baseURL }
  await measure('Portkey 1.15.2, bare relay', `http://127.0.0.1:${server.port}/v1/chat/completions`, headers, asUser)
}
await measurePurser('Purser, no cap, no answers', {}, asUser)
await measurePurser('Purser, cap and context and ledger', { ledger: { dailyCap: 1_000_000 } }, asUser)
await measurePurser(
  'Purser, the same and answers: every request new',
  { ledger: { dailyCap: 1_000_000 }, answers: { enabled: true } },
  (index) =>
    `{"model":"m","user":"user-${index % users}","messages":[{"role":"user","content":"Question ${index} of ${process.pid}"}]}`,
)
await measurePurser(
  'Purser, the same: answers kept before',
  { ledger: { dailyCap: 1_000_000 }, answers: { enabled: true } },
  asUser,
)

const portkey = rows[1]?.result.requestsPerSecond ?? Number.NaN
console.log(`\n${connections} connections, ${users} users, ${durationMs / 1000} s each\n`)
console.log('| | requests/s | p50 ms | p99 ms | not 200 | x Portkey |')
console.log('|---|--:|--:|--:|--:|--:|')
for (const { name, result } of rows) {
  const ratio = (result.requestsPerSecond / portkey).toFixed(1)
  const cells = [
    Math.round(result.requestsPerSecond),
    result.p50Ms.toFixed(1),
    result.p99Ms.toFixed(1),
    result.failed,
    ratio,
  ]
  console.log(`| ${name} | ${cells.join(' | ')} |`)
}
