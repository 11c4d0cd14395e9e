import { endsWithin } from '../../core/abort.ts'
import { systemEffects } from '../../core/effects.ts'
import { parseInteger, validateOptions } from '../../core/validate.ts'
import type { MetaStore, Store } from '../../storage/store.ts'
import { createPostgresRows } from './all-rows.ts'
import { createPostgresAnswers } from './answers.ts'
import { createPostgresBus } from './bus.ts'
import { CommitQueue } from './commit-queue.ts'
import { Connection } from './connection.ts'
import { createPostgresEvents } from './events.ts'
import { inspect } from './inspect.ts'
import { createPostgresInstances } from './instances.ts'
import { createPostgresLastGood } from './last-good.ts'
import { migrate } from './migrate.ts'
import { createPostgresSums } from './sums.ts'
import { decodeText, encodeText } from './text.ts'
import { createPostgresTurns } from './turns.ts'
import { createPostgresUsers } from './users.ts'

export interface PostgresStoreOptions {
  /**
   * `postgres://USER:PASSWORD@HOST:5432/DATABASE`. Parameters: `schema` (default `purser`), `pgbouncer=true` behind
   * PgBouncer in transaction mode, and those of libpq, such as `sslmode=verify-full` and `sslrootcert=PATH`.
   */
  readonly url: string
  /** Connections of this process, 2 to 1,000. Default: 10. */
  readonly maxConnections?: number
  /** Deadline of every statement, with the wait for a connection, ms: 1 to 600,000. Default: 5,000. */
  readonly timeoutMs?: number
}

/** One listens, the others run statements. */
const MIN_CONNECTIONS = 2
const MAX_CONNECTIONS = 1_000
const MAX_TIMEOUT_MS = 600_000
const OPTIONS: readonly string[] = ['url', 'maxConnections', 'timeoutMs']

/**
 * A store in PostgreSQL 14 or newer, for many instances. Connects with the first call, and creates or migrates its schema.
 * Needs the package `pg`.
 *
 * @throws {PurserError} `option_invalid`, `option_unknown`. The calls of the store: `store_unavailable`, `store_newer`.
 * @example
 * ```ts
 * const store = postgresStore({ url: 'postgres://purser@db.internal/purser', maxConnections: 20 })
 * await using purser = await openPurser({ store, secretKey })
 * ```
 */
export function postgresStore(options: PostgresStoreOptions): Store {
  validateOptions('postgresStore', options, OPTIONS)
  const { url } = options
  const maxConnections = parseInteger(options.maxConnections ?? 10, {
    name: 'maxConnections',
    min: MIN_CONNECTIONS,
    max: MAX_CONNECTIONS,
    hint: 'Default: 10. One of them listens for messages of other processes.',
  })
  const timeoutMs = parseInteger(options.timeoutMs ?? 5_000, {
    name: 'timeoutMs',
    min: 1,
    max: MAX_TIMEOUT_MS,
    hint: 'Default: 5,000 ms.',
  })
  const connection = new Connection({ url, maxConnections, timeoutMs }, migrate)
  const commits = new CommitQueue(connection)
  const bus = createPostgresBus(connection, systemEffects.randomId())
  const answers = createPostgresAnswers(connection)
  const lastGood = createPostgresLastGood(connection)
  const users = createPostgresUsers({
    connection,
    commits,
    bus,
    forgetAnswers: (namespace, owner) => answers.forget({ namespace, owner }),
    dropContexts: (user) => lastGood.drop(user),
  })

  async function closeInOrder(): Promise<void> {
    await commits.close()
    await bus.close()
    await connection.close()
  }
  let closing: Promise<void> | undefined
  return {
    traits: { name: 'postgres', durable: true, shared: true, location: connection.location, wipesFiles: false },
    meta: createPostgresMeta(connection),
    users,
    events: createPostgresEvents(connection),
    turns: createPostgresTurns(connection),
    sums: createPostgresSums(connection),
    bus,
    rows: createPostgresRows(connection),
    answers,
    lastGood,
    instances: createPostgresInstances(connection),
    inspect: async () => {
      await connection.ready()
      return inspect(connection)
    },
    async close({ timeoutMs: limitMs = Number.POSITIVE_INFINITY } = {}) {
      closing ??= closeInOrder()
      if (Number.isFinite(limitMs)) await endsWithin(systemEffects, closing, limitMs)
      else await closing
    },
  }
}

function createPostgresMeta(connection: Connection): MetaStore {
  const table = `${connection.schema}.meta`
  return {
    async get(name) {
      const [row] = await connection.query<{ value: string }>({
        text: `SELECT value FROM ${table} WHERE name = $1`,
        values: [encodeText(name)],
      })
      return row && decodeText(row.value)
    },
    async compareAndSet(name, expected, value) {
      const rows = await connection.query({
        text:
          expected === undefined
            ? `INSERT INTO ${table} (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1`
            : `UPDATE ${table} SET value = $2 WHERE name = $1 AND value = $3 RETURNING 1`,
        values: [encodeText(name), encodeText(value), ...(expected === undefined ? [] : [encodeText(expected)])],
      })
      return rows.length === 1
    },
  }
}
