import type { PoolClient } from 'pg'
import { systemEffects } from '../../core/effects.ts'
import type { Subject } from '../../core/subject.ts'
import type { Bus, BusMessage } from '../../storage/store.ts'
import { createLocalBus, type NotifiedCommit, notifyCommit } from '../local-bus.ts'
import { OutgoingMessages, type SharedBus } from '../outgoing-messages.ts'
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

export interface PostgresBus extends SharedBus {
  /** Rows of this namespace are cached from now on. */
  watch(namespace: string): void
}

export function createPostgresBus(connection: Connection, origin: string): PostgresBus {
  return new NotifyBus(connection, origin)
}

class NotifyBus implements PostgresBus {
  readonly #local = createLocalBus()
  readonly #connection: Connection
  readonly #channel: string
  readonly #listener: Listener
  readonly #outgoing: OutgoingMessages
  readonly #namespaces = new Set<string>()
  #sending: Promise<void> | undefined
  #cancelTimers: (() => void)[] = []
  #isClosed = false

  constructor(connection: Connection, origin: string) {
    this.#connection = connection
    this.#channel = `purser_${connection.schemaName}`
    this.#outgoing = new OutgoingMessages({ origin, maxPayloadBytes: MAX_PAYLOAD_BYTES })
    this.#listener = createListener(connection, {
      start: (client) => this.#startListening(client),
      onGap: () => this.#local.deliver('gap'),
    })
    connection.onReady = async () => {
      this.#recheckLater()
      await this.#listener.start()
    }
  }

  async publish(message: BusMessage): Promise<void> {
    this.#local.deliver(message)
    this.#outgoing.add(message)
    await this.#send()
  }

  notifyCommit(user: Subject, commit: NotifiedCommit): void {
    notifyCommit(this.#local, user, commit)
    this.#outgoing.addCommit(user, commit)
    this.#sendWithin(COLLECT_MS)
  }

  subscribe(listener: Parameters<Bus['subscribe']>[0]): () => void {
    return this.#local.subscribe(listener)
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

  #sendWithin(delayMs: number): void {
    this.#sending ??= new Promise((resolve) => {
      const send = (): void => void this.#send().then(resolve, resolve)
      systemEffects.setTimer(send, delayMs)
    })
  }

  /** Sends what was collected. What could not be sent becomes a `gap`, which is sent later. */
  async #send(): Promise<void> {
    this.#sending = undefined
    const payloads = this.#outgoing.take()
    if (payloads.length === 0) return
    try {
      await this.#connection.query({
        text: 'SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload',
        values: [this.#channel, payloads],
      })
    } catch (error) {
      this.#outgoing.addGap()
      if (!this.#isClosed) this.#sendWithin(RETRY_MS)
      throw error
    }
  }

  async #startListening(client: PoolClient): Promise<void> {
    client.on('notification', ({ payload = '[]' }) => this.#outgoing.receive(payload, this.#local))
    await client.query(`LISTEN ${this.#channel}`)
  }

  #recheckLater(): void {
    const recheck = (): void => {
      for (const namespace of this.#namespaces) {
        this.#local.deliver({ topic: 'user', namespace })
        this.#local.deliver({ topic: 'events', namespace })
      }
      this.#recheckLater()
    }
    if (!this.#isClosed) this.#cancelTimers = [systemEffects.setTimer(recheck, RECHECK_MS, { background: true })]
  }
}
