import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, globSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
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

/** The directory of `pg_dump` and the other programs. */
export const postgresPrograms: string = initdb === undefined ? '' : dirname(realpathSync(initdb))

export interface PostgresServer extends AsyncDisposable {
  readonly port: number
  readonly directory: string
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

/** The server that the tests of a file share, started when it is first used. Each URL of it has a schema of its own. */
export function sharedPostgres(): Promise<PostgresServer> {
  shared ??= startPostgres(['fsync=off', 'autovacuum=off'])
  return shared
}

/** An empty store on the shared server. */
export async function openPostgres(url?: string): Promise<Store> {
  return postgresStore({ url: url ?? (await sharedPostgres()).url() })
}

after(async () => (await shared)?.[Symbol.asyncDispose]())

/** A PostgreSQL server of the test's own, as an ordinary user, on a free loopback port. */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'purser-postgres-'))
  const data = join(directory, 'data')
  const user = ordinaryUser()
  if (user !== undefined) chownSync(directory, user.uid, user.gid)
  const initArgs = ['-D', data, '-A', 'trust', '-U', 'purser', '-E', 'UTF8', '--locale=C', '--no-sync']
  execFileSync(initdb ?? 'initdb', initArgs, { ...user, cwd: directory, stdio: 'ignore' })
  const port = await findFreePort()
  const flags = [...settings, 'listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${directory}`]
  const start = (): ChildProcess =>
    spawn(join(postgresPrograms, 'postgres'), ['-D', data, ...flags.flatMap((flag) => ['-c', flag])], {
      ...user,
      cwd: directory,
      stdio: 'ignore',
    })
  let server = start()
  const url = `postgres://purser@127.0.0.1:${port}/postgres`
  await untilReady(url)
  return {
    port,
    directory,
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
