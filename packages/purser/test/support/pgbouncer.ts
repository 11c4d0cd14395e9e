import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endProcess } from './end-process.ts'
import { findFreePort } from './free-port.ts'
import { noPostgres, ordinaryUser, type PostgresServer, untilReady } from './postgres-server.ts'

const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer'].find((path) =>
  existsSync(path),
)
if (program === undefined && process.env.CI === 'true')
  throw new Error('PgBouncer is not installed (Debian: apt install pgbouncer).')

/** The reason why tests with PgBouncer are skipped; false: they run. */
export const noPgbouncer: string | false =
  noPostgres || (program === undefined && 'PgBouncer is not installed (Debian: apt-get install pgbouncer)')

export interface Pgbouncer extends AsyncDisposable {
  /** URL of a new schema of its own, through the pooler. */
  url(): string
}

/** PgBouncer in transaction mode in front of a server, with four connections to it. */
export async function startPgbouncer(server: PostgresServer, settings: readonly string[] = []): Promise<Pgbouncer> {
  const directory = mkdtempSync(join(tmpdir(), 'purser-pgbouncer-'))
  const user = ordinaryUser()
  const port = await findFreePort()
  const config = join(directory, 'pgbouncer.ini')
  writeFileSync(join(directory, 'users.txt'), '"purser" ""\n')
  writeFileSync(
    config,
    `[databases]
* = host=127.0.0.1 port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(directory, 'users.txt')}
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
${settings.join('\n')}
`,
  )
  if (user !== undefined) {
    chownSync(directory, user.uid, user.gid)
    execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, directory])
  }
  const pooler: ChildProcess = spawn(program ?? 'pgbouncer', ['-q', config], {
    ...user,
    cwd: directory,
    stdio: 'ignore',
  })
  await untilReady(`postgres://purser@127.0.0.1:${port}/postgres`)
  return {
    url() {
      const url = new URL(server.url('&pgbouncer=true'))
      url.port = String(port)
      return url.href
    },
    async [Symbol.asyncDispose]() {
      await endProcess(pooler)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
