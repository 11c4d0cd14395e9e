import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')

test('npm start passes SIGTERM on, and ends when the server has drained', async () => {
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
  const started = new Promise<{ url: string }>((resolve, reject) => {
    npm.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      const line = stdout.split('\n').find((candidate) => candidate.startsWith('{'))
      if (line !== undefined) resolve(JSON.parse(line) as { url: string })
    })
    npm.once('exit', () => reject(new Error(`npm ended before the server started.\n${stdout}\n${stderr}`)))
  })
  const { url } = await started
  assert.equal((await fetch(`${url}/livez`)).status, 200)
  npm.kill('SIGTERM')
  // npm may end before what it wrote was read, so its end is that of its process, not of its streams.
  const [code] = await ended
  await assert.rejects(fetch(`${url}/livez`), 'the server is still running')
  await closed
  assert.match(stderr, /Shutting down: draining requests\./)
  assert.equal(code, 0)
  rmSync(folder, { recursive: true })
})
