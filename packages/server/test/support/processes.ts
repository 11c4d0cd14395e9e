import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { TEST_SECRET_KEY, testStoreUrl } from '../../../purser/test/support/test-store.ts'
import { run } from '../../src/cli/run.ts'
import type { ConfigFile } from '../../src/index.ts'

/** Node flags of a child process; those of the test runner are not inherited. */
export const SOURCE_FLAGS: readonly string[] = ['--conditions=@purser/source']
export const MAIN: string = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const UPSTREAM = fileURLToPath(new URL('./upstream.ts', import.meta.url))
const LARGE_UPSTREAM = fileURLToPath(new URL('./large-upstream.ts', import.meta.url))
const SINK_UPSTREAM = fileURLToPath(new URL('./sink-upstream.ts', import.meta.url))
/** Killed and deleted when the test process exits, so that a failed test leaves nothing behind. */
const children = new Set<ChildProcess>()
const directories = new Set<string>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

export const SERVICE_KEY = 'test-service-key-of-the-environment'
export const ADMIN_KEY = 'test-admin-key-of-the-environment'

/** A running child process that has printed its addresses as JSON on its first line. */
export interface Child<Addresses> {
  readonly addresses: Addresses
  readonly process: ChildProcess
  /** Ends the process and returns its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A request that the upstream received. */
export interface ReceivedRequest {
  readonly authorization: string | undefined
  readonly body: { model: string; messages: { role: string; content: string }[]; [field: string]: unknown }
  readonly aborted: boolean
}

export interface Upstream extends Child<{ url: string }> {
  readonly baseURL: string
  /** The requests since the start or the last `reset`. */
  requests(): Promise<ReceivedRequest[]>
  reset(): Promise<void>
  /** Lets all `slow` answers finish. */
  release(): Promise<void>
}

export interface Purser
  extends Child<{ url: string; gateway: string; deck: string; keys: { role: string; key: string }[] }> {
  readonly url: string
  readonly baseURL: string
  /** Calls the management API as admin. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>
  /** Calls the gateway with the service key. */
  chat(body: unknown, headers?: Record<string, string>): Promise<Response>
}

export async function startUpstream(name: string): Promise<Upstream> {
  const child = await start<{ url: string }>([UPSTREAM, name], process.cwd(), {})
  const { url } = child.addresses
  const control = async (action: string) =>
    (await fetch(`${url}/control/${action}`)).json() as Promise<ReceivedRequest[]>
  return {
    ...child,
    baseURL: `${url}/v1`,
    requests: () => control('requests'),
    reset: async () => void (await control('reset')),
    release: async () => void (await control('release')),
  }
}

/** A new directory, deleted when the test process exits. */
export function createTempDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'purser-server-'))
  directories.add(directory)
  return directory
}

const stores = new Map<string, ConfigFile>()

/** The store of a server in a directory: files in it, unless tests run on the server of a database. */
function storeOf(directory: string): ConfigFile {
  if (process.env.PURSER_TEST_STORE === undefined) return {}
  const config = stores.get(directory) ?? { store: testStoreUrl(), secretKey: TEST_SECRET_KEY }
  stores.set(directory, config)
  return config
}

/** A provider for requests of any size. */
export async function startSinkUpstream(): Promise<Child<{ url: string }>> {
  return start([SINK_UPSTREAM], tmpdir(), {})
}

/** A provider whose answers are as large as answers may be. */
export async function startLargeUpstream(): Promise<Child<{ url: string }>> {
  return start([LARGE_UPSTREAM], tmpdir(), {})
}

/** Starts `purser serve` in a child process. */
export async function startPurser(
  config: ConfigFile,
  directory: string = createTempDirectory(),
  variables: Record<string, string> = {},
): Promise<Purser> {
  writeFileSync(
    join(directory, 'purser.config.json'),
    JSON.stringify({ ...storeOf(directory), ...config, server: { port: 0, ...config.server } }),
  )
  const environment = { PURSER_SERVICE_KEY: SERVICE_KEY, PURSER_ADMIN_KEY: ADMIN_KEY, ...variables }
  const child = await start<Purser['addresses']>([MAIN, 'serve', '--json'], directory, environment)
  const { url } = child.addresses
  return {
    ...child,
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

/** Runs `purser ARGS…` in this process, which is faster than a child process, on a store in `directory`. */
export async function runPurser(
  args: readonly string[],
  directory: string,
  environment: Record<string, string> = {},
  input = '',
): Promise<CommandResult> {
  const text = { stdout: '', stderr: '' }
  const capture = (name: 'stdout' | 'stderr') =>
    new Writable({
      write(part, _encoding, done) {
        text[name] += String(part)
        done()
      },
    })
  const code = await run(args, {
    stdin: Readable.from(input === '' ? [] : [Buffer.from(input)]),
    stdout: capture('stdout'),
    stderr: capture('stderr'),
    environment: { PURSER_STORE: `sqlite:${join(directory, 'data', 'purser.db')}`, ...environment },
    directory,
    signal: new AbortController().signal,
  })
  return { code, ...text }
}

/** Runs `purser ARGS…` in a child process, on the store of the directory's configuration file or the default one. */
export async function spawnPurser(args: readonly string[], directory: string): Promise<CommandResult> {
  const child = spawn(process.execPath, [...SOURCE_FLAGS, MAIN, ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (part: string) => {
      text[name] += part
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...text }
}

async function start<Addresses>(
  args: readonly string[],
  directory: string,
  environment: Record<string, string>,
): Promise<Child<Addresses>> {
  const child = spawn(process.execPath, [...SOURCE_FLAGS, ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr += part
  })
  const addresses = await new Promise<Addresses>((resolve, reject) => {
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      stdout += part
      if (stdout.includes('\n')) resolve(JSON.parse(stdout.slice(0, stdout.indexOf('\n'))) as Addresses)
    })
    child.on('exit', (code) => reject(new Error(`The process exited with ${code} before it was ready.\n${stderr}`)))
  })
  return {
    addresses,
    process: child,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      child.kill(signal)
      const [code] = (await once(child, 'exit')) as [number | null]
      return code
    },
  }
}
