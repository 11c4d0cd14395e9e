import { endsWithin } from '../../core/abort.ts'
import { systemEffects } from '../../core/effects.ts'
import type { Subject } from '../../core/subject.ts'
import type { Bus, BusMessage } from '../../storage/store.ts'
import { createLocalBus, type NotifiedCommit, notifyCommit } from '../local-bus.ts'
import { OutgoingMessages, type SharedBus } from '../outgoing-messages.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Link } from './link.ts'

/*
 * PUBLISH and SUBSCRIBE, on a connection of its own. Messages to other processes are collected for some milliseconds and
 * sent together.
 *
 * A process listens before it reads its first row. It sends itself a message twice a second; when none arrives for 1.5
 * seconds, the connection is replaced. While a process does not listen, its listeners receive `gap` every half second. So
 * nothing cached is older than 2 seconds, however the bus fails. A process that is killed between a commit and its message
 * leaves others with an old row until they read again, which is every 10 seconds. Correctness never depends on a message:
 * commits compare revisions.
 */

const COLLECT_MS = 5
const HEARTBEAT_MS = 500
/** Without a heartbeat for this long, the connection counts as lost. */
const SILENCE_MS = 1_500
/** While a process does not listen. */
const GAP_MS = 500
/** After a failed attempt to send. */
const RETRY_MS = 250
/** How long the cached row of a user may differ from the store when the process that wrote it ended at once. */
const RECHECK_MS = 10_000
const MAX_PAYLOAD_BYTES = 64_000

export interface RedisBusDeps {
  readonly connection: Connection
  readonly keys: Keys
  /** Names this process in its messages. */
  readonly origin: string
}

export function createRedisBus(deps: RedisBusDeps): SharedBus {
  return new PublishBus(deps)
}

class PublishBus implements SharedBus {
  readonly #local = createLocalBus()
  readonly #connection: Connection
  readonly #channel: string
  readonly #ownChannel: string
  readonly #outgoing: OutgoingMessages
  #sending: Promise<void> | undefined
  #link: Link | undefined
  #listening: Promise<void> | undefined
  #heardAt = 0
  #checkedAt = 0
  #cancelTimer: (() => void) | undefined
  #isClosed = false

  constructor({ connection, keys, origin }: RedisBusDeps) {
    this.#connection = connection
    this.#outgoing = new OutgoingMessages({ origin, maxPayloadBytes: MAX_PAYLOAD_BYTES })
    this.#channel = keys.channel()
    this.#ownChannel = keys.channel(origin)
    connection.onReady = () => this.#listen()
  }

  async publish(message: BusMessage): Promise<void> {
    this.#local.deliver(message)
    this.#outgoing.add(message)
    try {
      await this.#send()
    } catch (error) {
      this.#sendGapLater()
      throw error
    }
  }

  notifyCommit(user: Subject, commit: NotifiedCommit): void {
    notifyCommit(this.#local, user, commit)
    this.#outgoing.addCommit(user, commit)
    this.#sendLater(COLLECT_MS)
  }

  subscribe(listener: Parameters<Bus['subscribe']>[0]): () => void {
    return this.#local.subscribe(listener)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTimer?.()
    await this.#sending
    this.#link?.destroy(undefined)
    this.#link = undefined
  }

  #sendLater(delayMs: number): void {
    if (this.#isClosed) return
    this.#sending ??= new Promise((resolve) => {
      const send = (): void => {
        this.#sending = undefined
        void this.#send()
          .catch(() => this.#sendGapLater())
          .then(resolve)
      }
      systemEffects.setTimer(send, delayMs, { background: delayMs > COLLECT_MS })
    })
  }

  /** What could not be sent is unknown to others. */
  #sendGapLater(): void {
    this.#outgoing.addGap()
    this.#sendLater(RETRY_MS)
  }

  async #send(): Promise<void> {
    const payloads = this.#outgoing.take()
    await Promise.all(
      payloads.map((payload) => this.#connection.run(this.#channel, ['PUBLISH', this.#channel, payload])),
    )
  }

  /** Resolves when it listens, or has failed to for now. */
  async #listen(): Promise<void> {
    if (this.#isClosed || this.#link !== undefined) return
    this.#listening ??= this.#subscribe().finally(() => {
      this.#listening = undefined
    })
    await this.#listening
    this.#watchLater(this.#link === undefined ? GAP_MS : HEARTBEAT_MS)
  }

  /** Never rejects: calls that use the database report the error. */
  async #subscribe(): Promise<void> {
    let link: Link | undefined
    try {
      link = await this.#connection.openLink(() => {
        if (this.#link !== link) return
        this.#link = undefined
        this.#watchLater(0)
      })
      const subscribed = link.subscribe([this.#channel, this.#ownChannel], this.#receive)
      if (!(await endsWithin(systemEffects, subscribed, SILENCE_MS)) || link.isLost || this.#isClosed)
        return link.destroy(undefined)
      this.#heardAt = systemEffects.monotonic()
      this.#checkedAt = this.#heardAt
      this.#link = link
    } catch (error) {
      link?.destroy(error)
    }
  }

  #watchLater(delayMs: number): void {
    this.#cancelTimer?.()
    if (this.#isClosed) return
    this.#cancelTimer = systemEffects.setTimer(() => void this.#watch(), delayMs, { background: true })
  }

  async #watch(): Promise<void> {
    const now = systemEffects.monotonic()
    const isSilent = now - this.#heardAt > SILENCE_MS
    const link = this.#link
    if (link !== undefined && !isSilent) {
      if (now - this.#checkedAt > RECHECK_MS) {
        this.#checkedAt = now
        this.#local.deliver('gap')
      }
      this.#connection.run(this.#ownChannel, ['PUBLISH', this.#ownChannel, '']).catch(() => undefined)
      return this.#watchLater(HEARTBEAT_MS)
    }
    this.#link = undefined
    link?.destroy(new Error('The bus was silent.'))
    await this.#listen()
    // What was sent until now is unknown.
    this.#local.deliver('gap')
  }

  readonly #receive = (payload: string, channel: string): void => {
    this.#heardAt = systemEffects.monotonic()
    if (channel === this.#ownChannel) return
    this.#outgoing.receive(payload, this.#local)
  }
}
