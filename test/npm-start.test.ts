import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')

interface Started {
  readonly url: string
  readonly keys: readonly { readonly role: string; readonly key: string }[]
}

/** What a program in one file could lack: what is loaded by the first request for it, and files beside the code. */
async function useServer(url: string, keys: Started['keys']): Promise<void> {
  const headersOf = (role: string): Record<string, string> => ({
    authorization: `Bearer ${keys.find((key) => key.role === role)?.key}`,
    'content-type': 'application/json',
    'x-purser-user': 'ada',
  })
  const status = async (path: string, init: RequestInit = {}): Promise<number> => {
    const response = await fetch(`${url}${path}`, init)
    await response.arrayBuffer()
    return response.status
  }
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] })
  assert.equal(await status('/v1/chat/completions', { method: 'POST', headers: headersOf('service'), body }), 200)
  const admin = { headers: headersOf('admin') }
  assert.equal(await status('/api/users', admin), 200)
  assert.equal(await status('/api/users?limit=many', admin), 400)
  for (const path of ['/openapi.json', '/deck/', '/livez']) assert.equal(await status(path), 200, path)
  assert.equal(await status('/metrics', admin), 200)
  const { version } = JSON.parse(readFileSync(join(root, 'packages', 'server', 'package.json'), 'utf8'))
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    readonly info: { readonly version: string }
  }
  assert.equal(document.info.version, version)
  assert.ok(existsSync(join(root, 'packages', 'server', 'program', 'chunks', 'LICENSES.txt')))
}

test('npm start serves from one program, passes SIGTERM on, and ends when the server has drained', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'purser-npm-start-'))
  const { PATH, HOME } = process.env
  const npm = spawn('npm', ['start', '--silent', '--', '--port', '0', '--json'], {
    cwd: root,
    env: { PATH, HOME, PURSER_STORE: `sqlite:${join(folder, 'purser.db')}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  npm.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(npm, 'exit')
  const closed = once(npm, 'close')
  const started = new Promise<Started>((resolve, reject) => {
    npm.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      const line = stdout.split('\n').find((candidate) => candidate.startsWith('{'))
      if (line !== undefined) resolve(JSON.parse(line) as Started)
    })
    npm.once('exit', () => reject(new Error(`npm ended before the server started.\n${stdout}\n${stderr}`)))
  })
  const { url, keys } = await started
  await useServer(url, keys).catch((error) => {
    npm.kill('SIGTERM')
    throw error
  })
  npm.kill('SIGTERM')
  // npm may end before what it wrote was read, so its end is that of its process, not of its streams.
  const [code] = await ended
  await assert.rejects(fetch(`${url}/livez`), 'the server is still running')
  await closed
  assert.match(stderr, /Shutting down: draining requests\./)
  assert.equal(code, 0)
  rmSync(folder, { recursive: true })
})
