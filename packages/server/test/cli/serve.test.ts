import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { FROM_SOURCE, freshDirectory } from '../support/processes.ts'

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
const shell = promisify(execFile)

/** Starts `purser WORDS` and answers what it prints until a line that begins with `last`. */
async function banner(
  words: readonly string[],
  directory: string,
  last: string,
  environment: Record<string, string> = {},
) {
  const child = spawn(process.execPath, [...FROM_SOURCE, MAIN, ...words], {
    cwd: directory,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  let text = ''
  child.stdout.setEncoding('utf8')
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (part: string) => {
      text += part
      if (new RegExp(`^${last}.*\\n`, 'm').test(text)) resolve()
    })
    child.once('exit', (code) => reject(new Error(`It ended with ${code}: ${text}`)))
  })
  child.removeAllListeners('exit')
  return {
    text,
    line: (label: string) => new RegExp(`^${label} +(.*)$`, 'm').exec(text)?.[1] ?? '',
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

test('a first start prints keys, a link, and a curl line that works as printed; a later one says how to make a key', async () => {
  const directory = freshDirectory()
  const first = await banner(['serve', '--port', '0'], directory, 'Try it')
  assert.match(first.line('Gateway'), /^http:\/\/127\.0\.0\.1:\d+\/v1$/)
  assert.match(first.line('service key'), /^purser_service_/)
  assert.match(first.line('admin key'), /^purser_admin_/)
  const { stdout } = await shell('sh', ['-c', `${first.line('Try it')} --silent`])
  const completion = JSON.parse(stdout)
  assert.equal(completion.object, 'chat.completion')
  assert.ok(completion.choices[0].message.content.length > 0)
  const link = await fetch(first.line('Deck'), { redirect: 'manual' })
  assert.equal(link.status, 303)
  assert.match(String(link.headers.get('set-cookie')), /HttpOnly; SameSite=Strict/)
  await first.stop()

  const later = await banner(['serve', '--port', '0'], directory, 'Try it', { npm_lifecycle_event: 'start' })
  assert.doesNotMatch(later.text, /purser_service_/)
  assert.match(later.line('Try it'), /\$PURSER_SERVICE_KEY/)
  assert.equal(later.line('New key'), 'npm run purser -- keys create --role service')
  const key = first.line('service key')
  const again = await shell('sh', ['-c', `${later.line('Try it')} --silent`], {
    env: { ...process.env, PURSER_SERVICE_KEY: key },
  })
  assert.equal(JSON.parse(again.stdout).object, 'chat.completion')
  await later.stop()

  const more = await banner(['serve', '--port', '0', '--new-key', 'service'], directory, 'Try it')
  assert.match(more.line('service key'), /^purser_service_/)
  await more.stop()
})

test('the demo has 200 users that do something, and heeds no configuration that happens to be there', async () => {
  const directory = freshDirectory()
  const real = { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9/v1', apiKey: 'k', models: ['m'] }
  writeFileSync(
    join(directory, 'purser.config.json'),
    JSON.stringify({ store: 'sqlite:real.db', providers: { real }, ledger: { dailyCap: 1 } }),
  )
  const environment = { PURSER_STORE: 'sqlite:other.db', PURSER_NAMESPACE: 'real', PURSER_DAILY_CAP: '2' }
  const demo = await banner(['demo', '--port', '0'], directory, 'Try it', environment)
  const authorization = `Bearer ${demo.line('admin key')}`
  const url = demo.line('Gateway').replace(/\/v1$/, '')
  const overview = async () =>
    (await fetch(`${url}/api/overview`, { headers: { authorization } })).json() as Promise<{
      users: number
      server: { store: { name: string }; namespace: string }
    }>
  const { users, server } = await overview()
  assert.deepEqual([users, server.store.name, server.namespace], [200, 'memory', 'default'])
  const ada = await fetch(`${url}/api/users?limit=1`, { headers: { authorization } })
  assert.equal(((await ada.json()) as { data: { dailyCap: number }[] }).data[0]?.dailyCap, 40)
  assert.deepEqual(readdirSync(directory), ['purser.config.json'])
  const events = await fetch(`${url}/api/events`, { headers: { authorization } })
  const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader()
  let seen = ''
  while (!/event: (ledger|activity)/.test(seen)) seen += (await reader?.read())?.value ?? ''
  await reader?.cancel()
  await demo.stop()
})
