import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')

test('npm start passes SIGTERM on: the server drains and ends', async () => {
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
  // The server has the streams of npm, and ends after it.
  await closed
  assert.match(stderr, /Shutting down: draining requests\./)
  await assert.rejects(fetch(`${url}/livez`), 'the server is still running')
  rmSync(folder, { recursive: true })
})
