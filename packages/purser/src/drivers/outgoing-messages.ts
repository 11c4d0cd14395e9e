import type { Subject } from '../core/subject.ts'
import type { Bus, BusMessage } from '../storage/store.ts'
import { type LocalBus, messagesOfCommit, type NotifiedCommit } from './local-bus.ts'

/** More are not kept: they become a `gap`. */
const MAX_MESSAGES = 10_000

/** The bus of a store that many processes share, as its driver uses it. */
export interface SharedBus extends Bus {
  /** Tells the listeners of this process at once, and other processes within milliseconds. Never fails. */
  notifyCommit(user: Subject, commit: NotifiedCommit): void
  close(): Promise<void>
}

/**
 * The messages of this process that are to be sent to others. A payload is JSON, `[origin, message, …]`; without messages
 * it is a `gap`: any message may be missing.
 */
export class OutgoingMessages {
  readonly #origin: string
  readonly #maxPayloadBytes: number
  /** Undefined: all processes get a `gap`. */
  #messages: BusMessage[] | undefined = []

  constructor({ origin, maxPayloadBytes }: { readonly origin: string; readonly maxPayloadBytes: number }) {
    this.#origin = origin
    this.#maxPayloadBytes = maxPayloadBytes
  }

  add(message: BusMessage): void {
    if ((this.#messages?.length ?? 0) >= MAX_MESSAGES) this.#messages = undefined
    else this.#messages?.push(message)
  }

  addCommit(user: Subject, commit: NotifiedCommit): void {
    for (const message of messagesOfCommit(user, commit)) this.add(message)
  }

  /** What was taken could not be sent, so others do not know of it. */
  addGap(): void {
    this.#messages = undefined
  }

  /** The payloads to send now. */
  take(): readonly string[] {
    const messages = this.#messages
    this.#messages = []
    return messages === undefined ? [JSON.stringify([this.#origin])] : this.#split(messages)
  }

  /** Delivers a payload of another process to the listeners of this one. */
  receive(payload: string, local: LocalBus): void {
    const [origin, ...messages] = JSON.parse(payload) as [string, ...BusMessage[]]
    if (origin === this.#origin) return
    if (messages.length === 0) local.deliver('gap')
    for (const message of messages) local.deliver(message)
  }

  #split(messages: readonly BusMessage[]): string[] {
    const payloads: string[] = []
    const head = JSON.stringify([this.#origin]).slice(0, -1)
    let payload = ''
    let bytes = 0
    for (const text of new Set(messages.map((message) => JSON.stringify(message)))) {
      const added = Buffer.byteLength(text) + 1
      if (payload !== '' && bytes + added > this.#maxPayloadBytes) {
        payloads.push(`${payload}]`)
        payload = ''
      }
      if (payload === '') {
        payload = head
        bytes = Buffer.byteLength(head) + 1
      }
      payload += `,${text}`
      bytes += added
    }
    if (payload !== '') payloads.push(`${payload}]`)
    return payloads
  }
}
