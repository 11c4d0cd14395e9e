import type { PoolClient } from 'pg'
import { systemEffects } from '../../core/effects.ts'
import type { StoreFinding } from '../../storage/store.ts'
import { findClockSkew } from '../clock-skew.ts'
import type { Connection } from './connection.ts'
import { toStoreError } from './errors.ts'

const MIN_VERSION = 140_000

interface Settings {
  readonly version: number
  readonly pid: number
  readonly now: number
  readonly synchronous_commit: string
  readonly fsync: string
  readonly read_only: boolean
}

/** What only the server knows, and what an operator should change. */
export async function inspect(connection: Connection): Promise<readonly StoreFinding[]> {
  const client = await connection.connect()
  try {
    const sentAt = systemEffects.now()
    const settings = await readSettings(client)
    const skewMs = settings.now - (sentAt + systemEffects.now()) / 2
    return [
      findVersion(settings),
      findDurability(settings),
      findClockSkew(skewMs),
      findPooler(connection, (client as PoolClient & { readonly processID?: number }).processID !== settings.pid),
    ]
  } catch (error) {
    throw toStoreError(error, connection.location)
  } finally {
    client.release()
  }
}

async function readSettings(client: PoolClient): Promise<Settings> {
  const { rows } = await client.query<Settings>(`SELECT current_setting('server_version_num')::int AS version,
    pg_backend_pid() AS pid, extract(epoch FROM clock_timestamp())::float8 * 1000 AS now,
    current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync,
    pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean AS read_only`)
  return rows[0] as Settings
}

function findVersion({ version }: Settings): StoreFinding {
  return {
    check: 'store version',
    ok: version >= MIN_VERSION,
    detail: `PostgreSQL ${Math.floor(version / 10_000)}`,
    hint: 'Upgrade the server to PostgreSQL 14 or newer.',
  }
}

function findDurability({ synchronous_commit, fsync, read_only }: Settings): StoreFinding {
  const isSafe = fsync === 'on' && !['off', 'local'].includes(synchronous_commit)
  if (read_only)
    return {
      check: 'store writes',
      ok: false,
      detail: 'the server is read-only or a standby',
      hint: 'Use the address of the primary: target_session_attrs does not apply to one host.',
    }
  return {
    check: 'store writes',
    ok: isSafe,
    detail: `fsync=${fsync}, synchronous_commit=${synchronous_commit}`,
    hint: 'A crash would lose acknowledged commits: ALTER SYSTEM SET synchronous_commit = on; ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();',
  }
}

/** A pooler answers with a process id of its own. */
function findPooler({ isPooled }: Connection, isFound: boolean): StoreFinding {
  const detail = isFound ? 'a pooler is between' : 'a direct connection'
  if (isPooled && !isFound) {
    return { check: 'pooler', ok: true, detail: `${detail}; without pgbouncer=true, changes would be seen sooner` }
  }
  return {
    check: 'pooler',
    ok: isPooled || !isFound,
    detail: isPooled ? `${detail}: instances poll for changes` : detail,
    hint: 'Add pgbouncer=true to the URL of the store, or use the address of the server itself.',
  }
}
