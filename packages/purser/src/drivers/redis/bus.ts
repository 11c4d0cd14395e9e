import { endsWithin } from '../../core/abort.ts'
import { systemEffects } from '../../core/effects.ts'
import type { Subject } from '../../core/subject.ts'
import type { Bus, BusMessage } from '../../storage/store.ts'
import { createLocalBus, type NotifiedCommit, notifyCommit } from '../local-bus.ts'
import { ProcessMessages, type SharedBus } from '../process-messages.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Link } from './link.ts'

/*
 * PUBLISH and SUBSCRIBE, on a connection of its own. Messages to other processes are collected for some milliseconds and
 * sent together.
 *
 * A process listens before it reads its first row. It says twice a second that it is open; when it does not receive that
 * itself for 1.5 seconds, the connection is replaced. While a process does not listen, its listeners receive `gap` every half
 * second. So nothing cached is older than 2 seconds, however the bus fails. When another process falls silent, it may have been
 * killed between a commit and its message: that is a `gap` as well. Correctness never depends on a message: commits compare
 * revisions.
 */

const COLLECT_MS = 5
const HEARTBEAT_MS = 500
/** Without a message of its own for this long, the connection counts as lost. */
const SILENCE_MS = 1_500
/** While a process does not listen. */
const GAP_MS = 500
/** After a failed attempt to send. */
const RETRY_MS = 250
/** The last message is not waited for any longer. */
const CLOSE_MS = 250
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
  readonly #messages: ProcessMessages
  #sending: Promise<void> | undefined
  #link: Link | undefined
  #listening: Promise<void> | undefined
  #heardAt = 0
  #cancelTimer: (() => void) | undefined
  #isClosed = false

  constructor({ connection, keys, origin }: RedisBusDeps) {
    this.#connection = connection
    this.#messages = new ProcessMessages({ origin, maxPayloadBytes: MAX_PAYLOAD_BYTES })
    this.#channel = keys.channel
    connection.onReady = async (link) => {
      await this.#listen()
      await link.send(this.#channel, this.#openMessage(), systemEffects.monotonic() + SILENCE_MS)
    }
  }

  async publish(message: BusMessage): Promise<void> {
    this.#local.deliver(message)
    this.#messages.add(message)
    try {
      await this.#send()
    } catch (error) {
      this.#sendGapLater()
      throw error
    }
  }

  notifyCommit(user: Subject, commit: NotifiedCommit): void {
    notifyCommit(this.#local, user, commit)
    this.#messages.addCommit(user, commit)
    this.#sendLater(COLLECT_MS)
  }

  subscribe(listener: Parameters<Bus['subscribe']>[0]): () => void {
    return this.#local.subscribe(listener)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTimer?.()
    await this.#sending
    if (this.#link !== undefined) {
      const closed = ['PUBLISH', this.#channel, this.#messages.closedPayload()]
      await endsWithin(
        systemEffects,
        this.#connection.run(this.#channel, closed).catch(() => undefined),
        CLOSE_MS,
      )
    }
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
    this.#messages.addGap()
    this.#sendLater(RETRY_MS)
  }

  async #send(): Promise<void> {
    const payloads = this.#messages.take()
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
      const subscribed = link.subscribe([this.#channel], this.#receive)
      if (!(await endsWithin(systemEffects, subscribed, SILENCE_MS)) || link.isLost || this.#isClosed)
        return link.destroy(undefined)
      this.#heardAt = systemEffects.monotonic()
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
      this.#messages.checkOthers(this.#local)
      this.#connection.run(this.#channel, this.#openMessage()).catch(() => undefined)
      return this.#watchLater(HEARTBEAT_MS)
    }
    this.#link = undefined
    link?.destroy(new Error('The bus was silent.'))
    await this.#listen()
    // What was sent until now is unknown.
    this.#local.deliver('gap')
  }

  #openMessage(): string[] {
    return ['PUBLISH', this.#channel, this.#messages.openPayload()]
  }

  readonly #receive = (payload: string): void => {
    if (this.#messages.isOwn(payload)) this.#heardAt = systemEffects.monotonic()
    else this.#messages.receive(payload, this.#local)
  }
}
