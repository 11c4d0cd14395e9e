import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import { redisStore } from '../../src/drivers/redis/index.ts'
import type { Store } from '../../src/storage/store.ts'
import { endProcess, exitOf } from './end-process.ts'
import { findFreePort } from './free-port.ts'

const isMissing = !hasCommand('redis-server')
if (isMissing && process.env.CI === 'true')
  throw new Error('Redis is not installed (Debian: apt-get install redis-server).')

/** The reason why tests with Redis are skipped; false: they run. */
export const noRedis: string | false = isMissing
  ? 'Redis is not installed (Debian: apt-get install redis-server): its driver is NOT tested'
  : false
if (noRedis) console.error(`\n  ${noRedis}\n`)

export interface RedisServer extends AsyncDisposable {
  readonly port: number
  readonly directory: string
  /** URL of a new store of its own on this server. */
  url(): string
  /** Runs a command as an administrator. */
  command<Reply = unknown>(...args: string[]): Promise<Reply>
  kill(signal: NodeJS.Signals): void
  /** Starts it again on the same port and data. */
  restart(): Promise<void>
}

export interface RedisServerOptions {
  /** Further arguments, such as `['--maxmemory', '10mb']`. Default: an append-only file that is flushed at every write. */
  readonly args?: readonly string[]
  readonly port?: number
  /** A configuration file, for servers that write to theirs. */
  readonly config?: string
}

const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
let stores = 0

/** A Redis server of the test's own on a free loopback port. */
export async function startRedis({ args = DURABLE, port, config }: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'purser-redis-'))
  const listenPort = port ?? (await findFreePort())
  const file = join(directory, 'redis.conf')
  writeFileSync(file, config ?? '')
  const flags = ['--bind', '127.0.0.1', '--port', String(listenPort), '--dir', directory, ...args]
  const start = (): ChildProcess => spawn('redis-server', [file, ...flags], { stdio: 'ignore' })
  let server = start()
  const command = async <Reply>(...words: string[]): Promise<Reply> => {
    const client = createClient({
      url: `redis://127.0.0.1:${listenPort}`,
      RESP: 2,
      socket: { reconnectStrategy: false },
    })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return await client.sendCommand<Reply & never>(words)
    } finally {
      client.destroy()
    }
  }
  await untilReady(command)
  return {
    port: listenPort,
    directory,
    url: () => `redis://127.0.0.1:${listenPort}/0?prefix=test_${++stores}`,
    command,
    kill: (signal) => void server.kill(signal),
    async restart() {
      await exitOf(server)
      server = start()
      await untilReady(command)
    },
    async [Symbol.asyncDispose]() {
      await endProcess(server)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const ATTEMPTS = 1_200

/** Waits for a state of a server that no message reports. A check that throws is not true yet. */
export async function untilTrue(check: () => Promise<boolean>, whatFails: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await check().catch(() => false)) return
    await sleep(50)
  }
  throw new Error(whatFails)
}

function untilReady(command: (...args: string[]) => Promise<unknown>): Promise<void> {
  return untilTrue(async () => (await command('PING')) === 'PONG', 'Redis does not start.')
}

function hasCommand(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

let sharedServer: Promise<RedisServer> | undefined

/** A server for all tests of a file that need nothing but an empty store; stopped after them. */
export function sharedRedis(): Promise<RedisServer> {
  sharedServer ??= startRedis({ args: ['--save', ''] })
  return sharedServer
}

/** An empty store on the shared server. A busy machine has time for all calls that a test makes at once. */
export async function openRedis(url?: string): Promise<Store> {
  return redisStore({ url: url ?? (await sharedRedis()).url(), timeoutMs: 60_000 })
}

after(async () => {
  await (await sharedServer)?.[Symbol.asyncDispose]()
})
