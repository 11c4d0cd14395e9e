import { Pool, type PoolClient, type PoolConfig, type QueryResultRow, types } from 'pg'
import { CircuitBreaker } from '../../core/circuit-breaker.ts'
import { systemEffects } from '../../core/effects.ts'
import { createJitter } from '../../core/jitter.ts'
import { PurserError, storeClosed } from '../../errors.ts'
import { isUnanswered, toStoreError } from './errors.ts'

/** bigint and numeric columns hold counts and revisions, which are safe integers. */
const INT8 = 20
const customTypes = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 ? Number : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
}

export interface ConnectionOptions {
  /** `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME&pgbouncer=true`; `ssl*` parameters as in libpq. */
  readonly url: string
  /** Connections of this process. */
  readonly maxConnections: number
  /** Deadline of one statement, with the wait for a connection. */
  readonly timeoutMs: number
}

/** A statement with its values. `name` makes it a prepared statement, unless there is a pooler between. */
export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
  readonly name?: string
}

/** Statements in a row to which the server gives no answer, before others are not sent for a moment. */
const BREAKER_FAILURES = 5
const BREAKER_BACKOFF = { minBackoffMs: 250, maxBackoffMs: 1_000, jitter: createJitter(systemEffects.randomId()) }

/**
 * The connections of one store. Nothing is probed only once: every statement connects again if it has to. While the server
 * gives no answers, one statement per second asks for it, and all others are rejected at once.
 */
export class Connection {
  /** The URL without its password. */
  readonly location: string
  readonly schemaName: string
  /** The quoted name of the schema. */
  readonly schema: string
  /** A pooler in transaction mode is between: no LISTEN, no prepared statements. */
  readonly isPooled: boolean
  readonly #pool: Pool
  readonly #migrate: (client: PoolClient, connection: Connection) => Promise<void>
  /** Runs after the migration, on its connection, before the first statement. */
  onReady: (client: PoolClient) => Promise<void> = async () => undefined
  readonly #breaker = new CircuitBreaker(BREAKER_FAILURES, BREAKER_BACKOFF)
  #ready: Promise<void> | undefined
  #isClosed = false

  constructor(
    { url, maxConnections, timeoutMs }: ConnectionOptions,
    migrate: (client: PoolClient, connection: Connection) => Promise<void>,
  ) {
    const { connectionString, location, schema, isPooled } = parseUrl(url)
    this.location = location
    this.schemaName = schema
    this.schema = `"${schema}"`
    this.isPooled = isPooled
    this.#migrate = migrate
    const config: PoolConfig = {
      connectionString,
      max: maxConnections,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      application_name: 'purser',
      types: customTypes,
      // A pooler refuses connections with parameters that it does not know.
      ...(isPooled ? {} : { statement_timeout: timeoutMs, idle_in_transaction_session_timeout: timeoutMs }),
    }
    this.#pool = new Pool(config)
    // A connection may break between two statements: the pool replaces an idle one, and the next statement of a used one
    // fails.
    this.#pool.on('error', () => undefined)
    this.#pool.on('connect', (client) => client.on('error', () => undefined))
  }

  /** Runs one statement, which is a transaction of its own. */
  query<Row extends QueryResultRow>({ text, values = [], name }: Statement): Promise<Row[]> {
    return this.#attempt(async () => {
      await this.ready()
      const prepared = this.isPooled || name === undefined ? {} : { name: `purser ${name}` }
      const { rows } = await this.#pool.query<Row>({ ...prepared, text, values: [...values] })
      return rows
    })
  }

  async #attempt<Result>(run: () => Promise<Result>): Promise<Result> {
    const permission = this.#breaker.permit(systemEffects.monotonic())
    if (permission === 'rejected')
      throw new PurserError('store_unavailable', 'The database cannot be reached at the moment.', {
        hint: 'It has not answered the last statements. It is asked again every second.',
        details: { location: this.location },
      })
    try {
      const result = await run()
      this.#breaker.recordSuccess(systemEffects.monotonic())
      return result
    } catch (error) {
      const now = systemEffects.monotonic()
      if (isUnanswered(error)) this.#breaker.recordFailure(now, permission === 'probe')
      else this.#breaker.recordSuccess(now)
      throw toStoreError(error, this.location)
    }
  }

  /** A connection of the caller's own, to be released with `release(true)` if its state is unknown. */
  async connect(): Promise<PoolClient> {
    if (this.#isClosed) throw storeClosed()
    try {
      return await this.#pool.connect()
    } catch (error) {
      throw toStoreError(error, this.location)
    }
  }

  /** Resolves when the schema is there. A failed attempt is repeated by the next call. */
  ready(): Promise<void> {
    if (this.#isClosed) return Promise.reject(storeClosed())
    this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#pool.end()
  }

  async #prepare(): Promise<void> {
    const client = await this.connect()
    try {
      await this.#migrate(client, this)
      await this.onReady(client)
      client.release()
    } catch (error) {
      client.release(true)
      throw toStoreError(error, this.location)
    }
  }
}

interface ParsedUrl {
  readonly connectionString: string
  readonly location: string
  readonly schema: string
  readonly isPooled: boolean
}

const SCHEMA = /^[a-z_][a-z0-9_]{0,40}$/

/** Splits off the parameters that are Purser's own. */
function parseUrl(text: string): ParsedUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol))
    throw invalidUrl("'url' must be a URL like postgres://USER@HOST:5432/DATABASE.")
  const schema = url.searchParams.get('schema') ?? 'purser'
  if (!SCHEMA.test(schema)) throw invalidUrl("'schema' must be lower-case letters, digits and underscores.")
  const isPooled = url.searchParams.get('pgbouncer') === 'true'
  url.searchParams.delete('schema')
  url.searchParams.delete('pgbouncer')
  const connectionString = url.href
  url.password = ''
  url.search = schema === 'purser' ? '' : `?schema=${schema}`
  return { connectionString, location: url.href, schema, isPooled }
}

function invalidUrl(message: string): PurserError {
  return new PurserError('option_invalid', message, { details: { param: 'store' } })
}
