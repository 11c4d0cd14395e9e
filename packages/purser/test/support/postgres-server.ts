import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chownSync, existsSync, globSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { postgresStore } from '../../src/drivers/postgres/index.ts'
import type { Store } from '../../src/storage/store.ts'
import { endProcess, exitOf } from './end-process.ts'
import { findFreePort } from './free-port.ts'

const initdb = globSync(['/usr/lib/postgresql/*/bin/initdb', '/usr/local/bin/initdb', '/opt/homebrew/bin/initdb'])
  .toSorted()
  .at(-1)
const isMissing = initdb === undefined || !existsSync(initdb)
if (isMissing && process.env.CI === 'true')
  throw new Error('PostgreSQL is not installed (Debian: apt install postgresql).')

/** The reason why tests with PostgreSQL are skipped; false: they run. */
export const noPostgres: string | false = isMissing
  ? 'PostgreSQL is not installed (Debian: apt-get install postgresql): its driver is NOT tested'
  : false
if (noPostgres) console.error(`\n  ${noPostgres}\n`)

const canMount =
  spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'true'], { ...ordinaryUser() }).status === 0

/** The reason why tests with a small disk are skipped; false: they run. */
export const noSmallDisk: string | false =
  noPostgres || (canMount ? false : 'This machine allows no file system of a limited size')

/** The directory of `pg_dump` and the other programs. */
export const postgresPrograms: string = initdb === undefined ? '' : dirname(realpathSync(initdb))

export interface PostgresServer extends AsyncDisposable {
  readonly port: number
  readonly pid: number
  readonly directory: string
  /** The directory of its data, as the server sees it. */
  readonly data: string
  /** URL of a new schema of its own. */
  url(parameters?: string): string
  /** Runs statements as an administrator. */
  query(text: string): Promise<Record<string, unknown>[]>
  /** Sends a signal to the server. */
  kill(signal: NodeJS.Signals): void
  /** Runs while no process of the server does anything. */
  freeze(run: () => Promise<void>): Promise<void>
  /** Starts it again on the same port and data. */
  restart(): Promise<void>
}

let schemas = 0
let shared: Promise<PostgresServer> | undefined

/**
 * The server that the tests of a file share, started when it is first used. Each URL of it has a schema of its own, and each
 * store up to ten connections.
 */
export function sharedPostgres(): Promise<PostgresServer> {
  shared ??= startPostgres({ settings: ['fsync=off', 'autovacuum=off', 'max_connections=1000'] })
  return shared
}

/** An empty store on the shared server. A busy machine has time for all calls that a test makes at once. */
export async function openPostgres(url?: string): Promise<Store> {
  return postgresStore({ url: url ?? (await sharedPostgres()).url(), timeoutMs: 60_000 })
}

after(async () => (await shared)?.[Symbol.asyncDispose]())

export interface PostgresServerOptions {
  /** `NAME=VALUE`, as for `postgres -c`. */
  readonly settings?: readonly string[]
  /**
   * Size of a file system of its own for the data without the write-ahead log; on it is a file `ballast` of 16 MiB.
   * Default: none.
   */
  readonly diskMiB?: number
}

/** A PostgreSQL server of the test's own, as an ordinary user, on a free loopback port. */
export async function startPostgres({ settings = [], diskMiB }: PostgresServerOptions = {}): Promise<PostgresServer> {
  const { directory, data, user } = createDirectory()
  if (diskMiB !== undefined) {
    initialize(directory, ['--waldir', join(directory, 'wal')])
    return serve({ directory, data, settings, diskMiB })
  }
  execFileSync('cp', ['-a', ensureTemplate(), data])
  if (user !== undefined) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, data])
  return serve({ directory, data, settings })
}

const INIT_ARGS = ['-A', 'trust', '-U', 'purser', '-E', 'UTF8', '--locale=C', '--no-sync']

function initialize(directory: string, args: readonly string[] = []): void {
  const allArgs = ['-D', join(directory, 'data'), ...INIT_ARGS, ...args]
  execFileSync(initdb ?? 'initdb', allArgs, { ...ordinaryUser(), cwd: directory, stdio: 'ignore' })
}

/** The data of a new server, initialized once for all test files, since a copy takes a tenth of the time. */
function ensureTemplate(): string {
  const version = execFileSync(initdb ?? 'initdb', ['--version'], { encoding: 'utf8' })
  const digest = createHash('sha256').update(JSON.stringify([version, INIT_ARGS]))
  const cache = join(import.meta.dirname, '../../../../node_modules/.cache')
  const template = join(cache, `postgres-${digest.digest('hex').slice(0, 16)}`)
  if (existsSync(template)) return template
  const { directory, data } = createDirectory()
  const own = join(cache, basename(directory))
  initialize(directory)
  mkdirSync(cache, { recursive: true })
  execFileSync('cp', ['-a', data, own])
  rmSync(directory, { recursive: true })
  try {
    renameSync(own, template)
  } catch {
    // Another process was faster.
    rmSync(own, { recursive: true })
  }
  return template
}

export interface PostgresStandby extends PostgresServer {
  /** Makes it the primary; resolves when it accepts writes. */
  promote(): Promise<void>
}

/** A standby that replicates from a server. */
export async function startStandby(primary: PostgresServer): Promise<PostgresStandby> {
  const { directory, data, user } = createDirectory()
  const source = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'purser']
  const args = ['-D', data, '-R', '-X', 'stream', '-c', 'fast', '--no-sync', ...source]
  execFileSync(join(postgresPrograms, 'pg_basebackup'), args, { ...user, cwd: directory, stdio: 'ignore' })
  const server = await serve({ directory, data, settings: [] })
  return Object.assign(server, {
    async promote(): Promise<void> {
      await server.query('SELECT pg_promote()')
    },
  })
}

function createDirectory(): {
  readonly directory: string
  readonly data: string
  readonly user: ReturnType<typeof ordinaryUser>
} {
  const directory = mkdtempSync(join(tmpdir(), 'purser-postgres-'))
  const user = ordinaryUser()
  if (user !== undefined) chownSync(directory, user.uid, user.gid)
  return { directory, data: join(directory, 'data'), user }
}

interface ServeOptions {
  readonly directory: string
  readonly data: string
  readonly settings: readonly string[]
  readonly diskMiB?: number
}

async function serve({ directory, data, settings, diskMiB }: ServeOptions): Promise<PostgresServer> {
  const user = ordinaryUser()
  const port = await findFreePort()
  const flags = [...settings, 'listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${directory}`]
  const program = join(postgresPrograms, 'postgres')
  const args = flags.flatMap((flag) => ['-c', flag])
  const start = (): ChildProcess =>
    diskMiB === undefined
      ? spawn(program, ['-D', data, ...args], { ...user, cwd: directory, stdio: 'ignore' })
      : spawnOnSmallDisk([program, ...args], { directory, data, diskMiB })
  let server = start()
  const url = `postgres://purser@127.0.0.1:${port}/postgres`
  await untilReady(url)
  return {
    port,
    get pid() {
      return server.pid ?? 0
    },
    directory,
    data,
    url: (parameters = '') => `${url}?schema=test_${++schemas}${parameters}`,
    async query(text) {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      try {
        return (await client.query(text)).rows
      } finally {
        await client.end()
      }
    },
    kill: (signal) => void server.kill(signal),
    async freeze(run) {
      // Each connection has a process of its own, whose parent is the server.
      const children = execFileSync('pgrep', ['-P', String(server.pid)], { encoding: 'utf8' })
        .trim()
        .split('\n')
      const pids = [server.pid ?? 0, ...children.map(Number)]
      for (const pid of pids) process.kill(pid, 'SIGSTOP')
      try {
        await run()
      } finally {
        for (const pid of pids) process.kill(pid, 'SIGCONT')
      }
    },
    async restart() {
      await exitOf(server)
      // The processes of a killed server's connections may still hold its memory: a start fails until they have ended.
      for (let attempt = 1; ; attempt++) {
        const started = start()
        server = started
        const hasFailed = exitOf(started).then(() => true)
        if (!(await Promise.race([hasFailed, untilReady(url).then(() => false)]))) return
        if (attempt === START_ATTEMPTS) throw new Error('PostgreSQL does not start again.')
        await sleep(200)
      }
    },
    async [Symbol.asyncDispose]() {
      server.kill('SIGCONT')
      await endProcess(server, 'SIGQUIT')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/**
 * Starts a server whose data is on a file system of a limited size, in namespaces of its own, so that nothing stays
 * mounted after it.
 */
function spawnOnSmallDisk(
  [program = '', ...args]: readonly string[],
  { directory, data, diskMiB }: { readonly directory: string; readonly data: string; readonly diskMiB: number },
): ChildProcess {
  const { uid, gid } = ordinaryUser() ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const script = `set -e
    cp -a "$1" "$2/copy"
    mount -t tmpfs -o size=${diskMiB}m,mode=0700 small "$1"
    cp -a "$2/copy/." "$1"
    head -c ${BALLAST_BYTES} /dev/zero >"$1/ballast"
    shift 2
    exec unshare --user --map-user=${uid} --map-group=${gid} "$@"`
  const inNamespace = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', data, directory]
  return spawn('unshare', [...inNamespace, program, '-D', data, ...args], {
    ...ordinaryUser(),
    cwd: directory,
    stdio: 'ignore',
  })
}

const BALLAST_BYTES = 16 * 1_048_576

/** PostgreSQL refuses to run as root. */
export function ordinaryUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres']))
  return { uid: id('-u'), gid: id('-g') }
}

const START_ATTEMPTS = 100

const READY_ATTEMPTS = 600

export async function untilReady(connectionString: string): Promise<void> {
  for (let attempt = 0; attempt < READY_ATTEMPTS; attempt++) {
    const client = new pg.Client({ connectionString })
    try {
      await client.connect()
      await client.end()
      return
    } catch {
      await sleep(50)
    }
  }
  throw new Error('PostgreSQL does not start.')
}
