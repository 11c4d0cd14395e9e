import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { run } from '../../src/cli/run.ts'
import type { ConfigFile } from '../../src/index.ts'

/** Flags of a child: not those of the test runner. */
export const FROM_SOURCE: readonly string[] = ['--conditions=@purser/source']
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const UPSTREAM = fileURLToPath(new URL('./upstream.ts', import.meta.url))
/** A test that fails half-way leaves nothing running, and nothing on the disk. */
const children = new Set<ChildProcess>()
const directories = new Set<string>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

export const SERVICE_KEY = 'test-service-key-of-the-environment'
export const ADMIN_KEY = 'test-admin-key-of-the-environment'

/** A child process that has told on its first line of stdout how to reach it. */
export interface Running<Told> {
  readonly told: Told
  readonly process: ChildProcess
  /** What it said on stderr so far. */
  readonly talk: () => string
  /** Ends it and answers its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface Seen {
  readonly authorization: string | undefined
  readonly body: { model: string; messages: { role: string; content: string }[]; [field: string]: unknown }
  readonly aborted: boolean
}

export interface Upstream extends Running<{ url: string }> {
  readonly baseURL: string
  seen(): Promise<Seen[]>
  reset(): Promise<void>
  release(): Promise<void>
}

export interface Purser
  extends Running<{ url: string; gateway: string; deck: string; keys: { role: string; key: string }[] }> {
  readonly url: string
  readonly baseURL: string
  /** Calls the management API as admin; answers status and body. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>
  chat(body: unknown, headers?: Record<string, string>): Promise<Response>
}

export async function startUpstream(name: string): Promise<Upstream> {
  const running = await start<{ url: string }>([UPSTREAM, name], process.cwd(), {})
  const control = async (what: string) => (await fetch(`${running.told.url}/control/${what}`)).json() as Promise<Seen[]>
  return {
    ...running,
    baseURL: `${running.told.url}/v1`,
    seen: () => control('seen'),
    reset: async () => void (await control('reset')),
    release: async () => void (await control('release')),
  }
}

/** A directory that a server may use; gone when the test process ends. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'purser-server-'))
  directories.add(directory)
  return directory
}

export async function startPurser(config: ConfigFile, directory: string = freshDirectory()): Promise<Purser> {
  writeFileSync(
    join(directory, 'purser.config.json'),
    JSON.stringify({ ...config, server: { port: 0, ...config.server } }),
  )
  const environment = { PURSER_SERVICE_KEY: SERVICE_KEY, PURSER_ADMIN_KEY: ADMIN_KEY }
  const running = await start<Purser['told']>([MAIN, 'serve', '--json'], directory, environment)
  const { url } = running.told
  return {
    ...running,
    url,
    baseURL: `${url}/v1`,
    async api(method, path, body) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${ADMIN_KEY}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
    },
    chat: (body, headers = {}) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${SERVICE_KEY}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  }
}

/** Runs `purser WORDS…` to its end, on a store in `directory`: in this process, as starting one for each takes long. */
export async function runPurser(
  words: readonly string[],
  directory: string,
  environment: Record<string, string> = {},
  input = '',
): Promise<{ code: number; output: string; talk: string }> {
  const text = { output: '', talk: '' }
  const into = (name: 'output' | 'talk') =>
    new Writable({
      write(part, _encoding, done) {
        text[name] += String(part)
        done()
      },
    })
  const code = await run(words, {
    input: Readable.from(input === '' ? [] : [Buffer.from(input)]),
    output: into('output'),
    talk: into('talk'),
    environment: { PURSER_STORE: `sqlite:${join(directory, 'data', 'purser.db')}`, ...environment },
    directory,
    interrupted: new AbortController().signal,
  })
  return { code, ...text }
}

/** The same in a process of its own, on the store that the directory's configuration or the default names. */
export async function spawnPurser(
  words: readonly string[],
  directory: string,
): Promise<{ code: number | null; output: string; talk: string }> {
  const child = spawn(process.execPath, [...FROM_SOURCE, MAIN, ...words], {
    cwd: directory,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { output: '', talk: '' }
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text.output += part
  })
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text.talk += part
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...text }
}

async function start<Told>(
  words: readonly string[],
  directory: string,
  environment: Record<string, string>,
): Promise<Running<Told>> {
  const child = spawn(process.execPath, [...FROM_SOURCE, ...words], {
    cwd: directory,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  let talk = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    talk += part
  })
  const told = await new Promise<Told>((resolve, reject) => {
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      output += part
      if (output.includes('\n')) resolve(JSON.parse(output.slice(0, output.indexOf('\n'))) as Told)
    })
    child.on('exit', (code) => reject(new Error(`It ended with ${code} before it was ready.\n${talk}`)))
  })
  return {
    told,
    process: child,
    talk: () => talk,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      child.kill(signal)
      const [code] = (await once(child, 'exit')) as [number | null]
      return code
    },
  }
}
