import type { PoolClient } from 'pg'
import { endsWithin } from '../../core/abort.ts'
import { systemEffects } from '../../core/effects.ts'
import type { Subject } from '../../core/subject.ts'
import type { Bus, BusMessage } from '../../storage/store.ts'
import { createLocalBus, type NotifiedCommit, notifyCommit } from '../local-bus.ts'
import { ProcessMessages, type SharedBus } from '../process-messages.ts'
import type { Connection } from './connection.ts'
import { createListener, type Listener } from './listener.ts'

/*
 * LISTEN and NOTIFY. Messages to other processes are collected for some milliseconds and sent together, outside of the
 * commits that they announce: PostgreSQL lets only one transaction with a notification commit at a time.
 *
 * A process may be killed between a commit and its message. So each process says every second that it is open, and when one
 * falls silent, the others drop what they have cached. Correctness never depends on a message: commits compare revisions.
 */

const COLLECT_MS = 5
/** After a failed attempt to send. */
const RETRY_MS = 250
/** How often this process says that it is open, and looks whether others still do. */
const OPEN_MS = 1_000
/** The last message is not waited for any longer. */
const CLOSE_MS = 250
/** PostgreSQL refuses payloads of 8,000 bytes and more. */
const MAX_PAYLOAD_BYTES = 7_900

export function createPostgresBus(connection: Connection, origin: string): SharedBus {
  return new NotifyBus(connection, origin)
}

class NotifyBus implements SharedBus {
  readonly #local = createLocalBus()
  readonly #connection: Connection
  readonly #channel: string
  readonly #listener: Listener
  readonly #messages: ProcessMessages
  #sending: Promise<void> | undefined
  #cancelOpen: (() => void) | undefined
  #isClosed = false

  constructor(connection: Connection, origin: string) {
    this.#connection = connection
    this.#channel = `purser_${connection.schemaName}`
    this.#messages = new ProcessMessages({ origin, maxPayloadBytes: MAX_PAYLOAD_BYTES })
    this.#listener = createListener(connection, {
      start: (client) => this.#startListening(client),
      onGap: () => this.#local.deliver('gap'),
    })
    connection.onReady = async (client) => {
      // A standby refuses it, and is only read.
      await client.query(this.#notification([this.#messages.openPayload()])).catch(() => undefined)
      await this.#listener.start()
      this.#sayOpenLater()
    }
  }

  async publish(message: BusMessage): Promise<void> {
    this.#local.deliver(message)
    this.#messages.add(message)
    await this.#send()
  }

  notifyCommit(user: Subject, commit: NotifiedCommit): void {
    notifyCommit(this.#local, user, commit)
    this.#messages.addCommit(user, commit)
    this.#sendWithin(COLLECT_MS)
  }

  subscribe(listener: Parameters<Bus['subscribe']>[0]): () => void {
    return this.#local.subscribe(listener)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#sending
    if (this.#cancelOpen !== undefined) {
      this.#cancelOpen()
      const closed = this.#connection.query(this.#notification([this.#messages.closedPayload()])).catch(() => undefined)
      await endsWithin(systemEffects, closed, CLOSE_MS)
    }
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
    const payloads = this.#messages.take()
    if (payloads.length === 0) return
    try {
      await this.#connection.query(this.#notification(payloads))
    } catch (error) {
      this.#messages.addGap()
      if (!this.#isClosed) this.#sendWithin(RETRY_MS)
      throw error
    }
  }

  async #startListening(client: PoolClient): Promise<void> {
    client.on('notification', ({ payload = '[]' }) => this.#messages.receive(payload, this.#local))
    await client.query(`LISTEN ${this.#channel}`)
  }

  #notification(payloads: readonly string[]): { text: string; values: unknown[] } {
    return {
      text: 'SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload',
      values: [this.#channel, payloads],
    }
  }

  #sayOpenLater(): void {
    const sayOpen = (): void => {
      this.#messages.checkOthers(this.#local)
      this.#connection.query(this.#notification([this.#messages.openPayload()])).catch(() => undefined)
      this.#sayOpenLater()
    }
    if (!this.#isClosed) this.#cancelOpen = systemEffects.setTimer(sayOpen, OPEN_MS, { background: true })
  }
}
