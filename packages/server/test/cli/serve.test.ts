import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createTempDirectory, MAIN, SOURCE_FLAGS } from '../support/processes.ts'

const execFileAsync = promisify(execFile)

/** Starts `purser ARGS` and returns what it prints up to a line that starts with `last`. */
async function startAndRead(
  args: readonly string[],
  directory: string,
  last: string,
  environment: Record<string, string> = {},
) {
  const child = spawn(process.execPath, [...SOURCE_FLAGS, MAIN, ...args], {
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
    child.once('exit', (code) => reject(new Error(`The process exited with ${code}: ${text}`)))
  })
  child.removeAllListeners('exit')
  return {
    text,
    /** The value of the row with this label. */
    getRow: (label: string) => new RegExp(`^${label} +(.*)$`, 'm').exec(text)?.[1] ?? '',
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

test('the first start prints keys, a sign-in link and a curl line that works; a later one prints how to create a key', async () => {
  const directory = createTempDirectory()
  const first = await startAndRead(['serve', '--port', '0'], directory, 'Try it')
  assert.match(first.getRow('Gateway'), /^http:\/\/127\.0\.0\.1:\d+\/v1$/)
  assert.match(first.getRow('service key'), /^purser_service_/)
  assert.match(first.getRow('admin key'), /^purser_admin_/)
  const { stdout } = await execFileAsync('sh', ['-c', `${first.getRow('Try it')} --silent`])
  const completion = JSON.parse(stdout)
  assert.equal(completion.object, 'chat.completion')
  assert.ok(completion.choices[0].message.content.length > 0)
  const link = await fetch(first.getRow('Deck'), { redirect: 'manual' })
  assert.equal(link.status, 303)
  assert.match(String(link.headers.get('set-cookie')), /HttpOnly; SameSite=Strict/)
  await first.stop()

  const later = await startAndRead(['serve', '--port', '0'], directory, 'Try it', { npm_lifecycle_event: 'start' })
  assert.doesNotMatch(later.text, /purser_service_/)
  assert.match(later.getRow('Try it'), /\$PURSER_SERVICE_KEY/)
  assert.equal(later.getRow('New key'), 'npm run purser -- keys create --role service')
  const key = first.getRow('service key')
  const repeated = await execFileAsync('sh', ['-c', `${later.getRow('Try it')} --silent`], {
    env: { ...process.env, PURSER_SERVICE_KEY: key },
  })
  assert.equal(JSON.parse(repeated.stdout).object, 'chat.completion')
  await later.stop()

  const configured = await startAndRead(['serve', '--port', '0'], directory, 'Try it', {
    PURSER_SERVICE_KEY: 'the-service-key-0123456789abcdefghij',
  })
  assert.equal(configured.getRow('New key'), '')
  await configured.stop()

  const withNewKey = await startAndRead(['serve', '--port', '0', '--new-key', 'service'], directory, 'Try it')
  assert.match(withNewKey.getRow('service key'), /^purser_service_/)
  await withNewKey.stop()
})

test('the demo has 200 active users with a past, and ignores the configuration file and the environment', async () => {
  const directory = createTempDirectory()
  const real = { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9/v1', apiKey: 'k', models: ['m'] }
  writeFileSync(
    join(directory, 'purser.config.json'),
    JSON.stringify({ store: 'sqlite:real.db', providers: { real }, ledger: { dailyCap: 1 } }),
  )
  const environment = { PURSER_STORE: 'sqlite:other.db', PURSER_NAMESPACE: 'real', PURSER_DAILY_CAP: '2' }
  const demo = await startAndRead(['demo', '--port', '0'], directory, 'Try it', environment)
  const authorization = `Bearer ${demo.getRow('admin key')}`
  const url = demo.getRow('Gateway').replace(/\/v1$/, '')
  const read = async <Answer>(path: string): Promise<Answer> =>
    (await (await fetch(`${url}/api${path}`, { headers: { authorization } })).json()) as Answer
  const { users, server } = await read<{ users: number; server: { store: { name: string }; namespace: string } }>(
    '/overview',
  )
  assert.deepEqual([users, server.store.name, server.namespace], [200, 'memory', 'default'])
  const page = await read<{ data: { dailyCap: number }[] }>('/users?limit=1')
  assert.equal(page.data[0]?.dailyCap, 8)
  const attention = await read<{ rules: { rule: string; users: number }[] }>('/attention')
  for (const { rule, users: found } of attention.rules) assert.ok(found > 0, rule)
  for (const outcome of ['completed', 'refused', 'failed']) {
    assert.equal((await read<{ data: unknown[] }>(`/turns?outcome=${outcome}&limit=1`)).data.length, 1, outcome)
  }
  assert.ok((await read<{ data: unknown[] }>('/overview/days')).data.length >= 30)
  assert.deepEqual(readdirSync(directory), ['purser.config.json'])
  const events = await fetch(`${url}/api/events`, { headers: { authorization } })
  const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader()
  let received = ''
  while (!/event: (ledger|activity)/.test(received)) {
    const part = await reader?.read()
    assert.ok(part?.value !== undefined, `the stream has ended: ${received}`)
    received += part.value
  }
  await reader?.cancel()
  await demo.stop()
})
