import type { PoolClient } from 'pg'
import { systemEffects } from '../../core/effects.ts'
import type { Connection } from './connection.ts'

/*
 * The connection that listens. A process listens before it reads its first row. While it does not, because the connection
 * is lost or a pooler is between, it has a `gap` again and again, so that nothing cached is older than that.
 */

/** While the process does not listen. */
const GAP_MS = 500
/** A connection that was cut without a word is found by a query that gets no answer. */
const HEARTBEAT_MS = 500
const HEARTBEAT_TIMEOUT_MS = 400

export interface Listener {
  /** Never rejects: calls that use the database report the error. */
  start(): Promise<void>
  close(): void
}

export interface ListenerOptions {
  /** Listens on a new connection. */
  start(client: PoolClient): Promise<void>
  /** Messages may have been missed. */
  onGap(): void
}

export function createListener(connection: Connection, options: ListenerOptions): Listener {
  return new ReconnectingListener(connection, options)
}

class ReconnectingListener implements Listener {
  readonly #connection: Connection
  readonly #options: ListenerOptions
  #client: PoolClient | undefined
  #cancelTimer: (() => void) | undefined
  #isConnecting = false
  #isClosed = false

  constructor(connection: Connection, options: ListenerOptions) {
    this.#connection = connection
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#connect()
    this.#schedule()
  }

  close(): void {
    this.#isClosed = true
    this.#cancelTimer?.()
    this.#release()
  }

  #schedule(): void {
    if (this.#isClosed) return
    this.#cancelTimer?.()
    const run = (): void => {
      if (this.#client === undefined) this.#retry()
      else void this.#check(this.#client)
      this.#schedule()
    }
    const delayMs = this.#client === undefined ? GAP_MS : HEARTBEAT_MS
    this.#cancelTimer = systemEffects.setTimer(run, delayMs, { background: true })
  }

  /** An attempt may take long, so the gaps do not wait for it. What was sent until it succeeds is unknown. */
  #retry(): void {
    this.#options.onGap()
    if (this.#isConnecting) return
    void this.#connect().then(() => {
      if (this.#client !== undefined) this.#options.onGap()
    })
  }

  async #connect(): Promise<void> {
    if (this.#isClosed || this.#connection.isPooled) return
    this.#isConnecting = true
    try {
      const client = await this.#connection.connect()
      await this.#listen(client)
    } catch {
      // The next attempt follows.
    }
    this.#isConnecting = false
  }

  async #listen(client: PoolClient): Promise<void> {
    const onLost = (): void => this.#lose(client)
    client.on('error', onLost)
    client.on('end', onLost)
    try {
      await this.#options.start(client)
    } catch (error) {
      client.release(true)
      throw error
    }
    this.#client = client
    if (this.#isClosed) this.#release()
  }

  async #check(client: PoolClient): Promise<void> {
    const query = { text: 'SELECT 1', query_timeout: HEARTBEAT_TIMEOUT_MS }
    await client.query(query).catch(() => this.#lose(client))
  }

  #lose(client: PoolClient): void {
    if (this.#client !== client) return
    this.#release()
    if (!this.#isClosed) this.#options.onGap()
  }

  #release(): void {
    const client = this.#client
    this.#client = undefined
    client?.release(true)
  }
}
