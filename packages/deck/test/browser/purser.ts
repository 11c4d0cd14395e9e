import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'vite'

const MAIN = join(import.meta.dirname, '../../../server/src/main.ts')
const DECK = join(import.meta.dirname, '../..')

/** A real `purser serve` in a process of its own, on a free port and a new database. */
export interface Purser {
  readonly origin: string
  /** `origin` and the prefix it is mounted under. */
  readonly base: string
  /** The SQLite file of the store. */
  readonly file: string
  readonly serviceKey: string
  readonly adminKey: string
  /** The one-time link of the latest start. */
  readonly link: string
  /** One chat request of a user through the gateway. */
  chat(user: string): Promise<Response>
  /** A call of the management API with the service key. */
  api(method: string, path: string, body?: unknown): Promise<Response>
  /** Ends the process; `start` brings it back on the same port and database. */
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

/** Builds the page when it was never built; `npm start` and `npm test` build it by themselves. */
export async function ensureBuilt(): Promise<void> {
  if (!existsSync(join(DECK, 'dist/index.html'))) await build({ root: DECK, logLevel: 'warn' })
}

export async function openPurser(options: { prefix?: string; dailyCap?: number } = {}): Promise<Purser> {
  await ensureBuilt()
  const folder = await mkdtemp(join(tmpdir(), 'purser-deck-'))
  const config = join(folder, 'config.json')
  const file = join(folder, 'purser.db')
  const server = { host: '127.0.0.1', port: 0, prefix: options.prefix ?? '' }
  await writeFile(
    config,
    JSON.stringify({
      store: `sqlite:${file}`,
      ledger: { dailyCap: options.dailyCap ?? 0 },
      server,
    }),
  )
  let process_: ChildProcess | undefined
  let port = 0
  const told = { link: '', serviceKey: '', adminKey: '' }

  async function start(): Promise<void> {
    const flags = ['--conditions=@purser/source', MAIN, 'serve', '--config', config, '--port', String(port)]
    const started = spawn(process.execPath, flags, {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH },
    })
    process_ = started
    const text = await printed(started, /sign-in\?token=\S+/)
    told.link = /http\S+sign-in\?token=\S+/.exec(text)?.[0] ?? ''
    told.serviceKey = /purser_service_\S+/.exec(text)?.[0].replace(/["']$/, '') ?? told.serviceKey
    told.adminKey = /purser_admin_\S+/.exec(text)?.[0] ?? told.adminKey
    port = Number(new URL(told.link).port)
  }
  async function stop(): Promise<void> {
    if (process_ === undefined || process_.exitCode !== null) return
    const ended = once(process_, 'exit')
    process_.kill('SIGTERM')
    await ended
  }

  await start()
  const origin = `http://127.0.0.1:${port}`
  const base = `${origin}${options.prefix ?? ''}`
  const send = (method: string, path: string, body: unknown): Promise<Response> =>
    fetch(`${base}${path}`, {
      method,
      headers: { authorization: `Bearer ${told.serviceKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  return {
    origin,
    base,
    file,
    get serviceKey() {
      return told.serviceKey
    },
    get adminKey() {
      return told.adminKey
    },
    get link() {
      return told.link
    },
    async chat(user) {
      const answer = await send('POST', '/v1/chat/completions', { user, messages: [{ role: 'user', content: 'Hi' }] })
      await answer.text()
      return answer
    },
    api: (method, path, body) => send(method, `/api${path}`, body),
    start,
    stop,
    async close() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Everything a process has printed up to a pattern; fails with it when the process ends before. */
function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    let done = false
    const read = (chunk: Buffer): void => {
      text += chunk.toString()
      // The line of the link is followed by the keys, so the whole notice is awaited.
      if (done || !pattern.test(text) || !/Try it/.test(text)) return
      done = true
      resolve(text)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('exit', (code) => reject(new Error(`purser ended with ${code}:\n${text}`)))
  })
}
