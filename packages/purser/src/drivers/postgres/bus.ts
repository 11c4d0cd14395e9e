import type { PoolClient } from 'pg'
import { systemEffects } from '../../core/effects.ts'
import type { Subject } from '../../core/subject.ts'
import type { Bus, BusMessage } from '../../storage/store.ts'
import { createLocalBus, type LocalBus, notifyCommit } from '../local-bus.ts'
import type { Connection } from './connection.ts'
import { createListener, type Listener } from './listener.ts'

/*
 * LISTEN and NOTIFY. Messages to other processes are collected for some milliseconds and sent together, outside of the
 * commits that they announce: PostgreSQL lets only one transaction with a notification commit at a time.
 *
 * A process may end between a commit and its message. So every process counts its cached users as changed now and then,
 * which costs one read per cached row. Correctness never depends on a message: commits compare revisions.
 */

const COLLECT_MS = 5
/** After a failed attempt to send. */
const RETRY_MS = 250
/** How long the cached row of a user may differ from the store when the process that wrote it ended at once. */
const RECHECK_MS = 10_000
/** PostgreSQL refuses payloads of 8,000 bytes and more. */
const MAX_PAYLOAD_BYTES = 7_900
const MAX_COLLECTED = 10_000

export interface PostgresBus extends Bus {
  /** The listeners of this process. */
  readonly local: LocalBus
  /** Tells other processes that a user has changed. */
  announce(user: Subject, commit: Parameters<typeof notifyCommit>[2]): void
  /** Rows of this namespace are cached from now on. */
  watch(namespace: string): void
  close(): Promise<void>
}

export function createPostgresBus(connection: Connection, origin: string): PostgresBus {
  return new NotifyBus(connection, origin)
}

class NotifyBus implements PostgresBus {
  readonly local = createLocalBus()
  readonly #connection: Connection
  readonly #origin: string
  readonly #channel: string
  readonly #listener: Listener
  readonly #namespaces = new Set<string>()
  /** Messages to send; undefined: too many, or lost by a failed attempt: all processes get a `gap`. */
  #collected: BusMessage[] | undefined = []
  #sending: Promise<void> | undefined
  #cancelTimers: (() => void)[] = []
  #isClosed = false

  constructor(connection: Connection, origin: string) {
    this.#connection = connection
    this.#origin = origin
    this.#channel = `purser_${connection.schemaName}`
    this.#listener = createListener(connection, {
      start: (client) => this.#startListening(client),
      onGap: () => this.local.deliver('gap'),
    })
    connection.onReady = async () => {
      this.#recheckLater()
      await this.#listener.start()
    }
  }

  async publish(message: BusMessage): Promise<void> {
    this.local.deliver(message)
    this.#collect(message)
    await this.#send()
  }

  announce(user: Subject, commit: Parameters<typeof notifyCommit>[2]): void {
    const collector = {
      size: 1,
      subscribe: () => () => undefined,
      deliver: (message: BusMessage | 'gap') => this.#collect(message),
    }
    notifyCommit(collector, user, commit)
    this.#sendWithin(COLLECT_MS)
  }

  subscribe(listener: Parameters<Bus['subscribe']>[0]): () => void {
    return this.local.subscribe(listener)
  }

  watch(namespace: string): void {
    this.#namespaces.add(namespace)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#sending
    for (const cancel of this.#cancelTimers) cancel()
    this.#listener.close()
  }

  #collect(message: BusMessage | 'gap'): void {
    if (message === 'gap' || (this.#collected?.length ?? 0) >= MAX_COLLECTED) this.#collected = undefined
    else this.#collected?.push(message)
  }

  #sendWithin(delayMs: number): void {
    this.#sending ??= new Promise((resolve) => {
      const send = (): void => void this.#send().then(resolve, resolve)
      systemEffects.setTimer(send, delayMs)
    })
  }

  /** Sends what was collected. What could not be sent becomes a `gap`, which is sent later. */
  async #send(): Promise<void> {
    this.#sending = undefined
    const collected = this.#collected
    this.#collected = []
    const payloads = collected === undefined ? [JSON.stringify([this.#origin])] : this.#split(collected)
    if (payloads.length === 0) return
    try {
      await this.#connection.query({
        text: 'SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload',
        values: [this.#channel, payloads],
      })
    } catch (error) {
      this.#collected = undefined
      if (!this.#isClosed) this.#sendWithin(RETRY_MS)
      throw error
    }
  }

  /** Payloads of the form `[origin, message, …]`. One without messages is a gap. */
  #split(messages: readonly BusMessage[]): string[] {
    const payloads: string[] = []
    let payload = ''
    for (const text of new Set(messages.map((message) => JSON.stringify(message)))) {
      if (payload !== '' && Buffer.byteLength(payload) + Buffer.byteLength(text) < MAX_PAYLOAD_BYTES) {
        payload += `,${text}`
        continue
      }
      if (payload !== '') payloads.push(`${payload}]`)
      payload = `${JSON.stringify([this.#origin]).slice(0, -1)},${text}`
    }
    if (payload !== '') payloads.push(`${payload}]`)
    return payloads
  }

  async #startListening(client: PoolClient): Promise<void> {
    client.on('notification', ({ payload = '[]' }) => this.#receive(payload))
    await client.query(`LISTEN ${this.#channel}`)
  }

  #receive(payload: string): void {
    const [origin, ...messages] = JSON.parse(payload) as [string, ...BusMessage[]]
    if (origin === this.#origin) return
    if (messages.length === 0) this.local.deliver('gap')
    for (const message of messages) this.local.deliver(message)
  }

  #recheckLater(): void {
    const recheck = (): void => {
      for (const namespace of this.#namespaces) {
        this.local.deliver({ topic: 'user', namespace })
        this.local.deliver({ topic: 'events', namespace })
      }
      this.#recheckLater()
    }
    if (!this.#isClosed) this.#cancelTimers = [systemEffects.setTimer(recheck, RECHECK_MS, { background: true })]
  }
}
