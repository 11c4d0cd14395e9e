import { systemEffects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import { isObject } from '../core/validate.ts'
import type { Bus, BusMessage } from '../storage/store.ts'
import { type LocalBus, messagesOfCommit, type NotifiedCommit } from './local-bus.ts'
import { OtherProcesses } from './other-processes.ts'

/** More are not kept: they become a `gap`. */
const MAX_MESSAGES = 10_000

/** The bus of a store that many processes share, as its driver uses it. */
export interface SharedBus extends Bus {
  /** Tells the listeners of this process at once, and other processes within milliseconds. Never fails. */
  notifyCommit(user: Subject, commit: NotifiedCommit): void
  close(): Promise<void>
}

/** About the process itself. Not delivered. */
interface ProcessMessage {
  readonly topic: 'process'
  readonly detail: 'open' | 'closed'
}

/** Every client of the server can send, so a payload may be anything. One without an origin is empty: a `gap`. */
function parsePayload(payload: string): readonly [origin?: string, ...messages: unknown[]] {
  try {
    const [origin, ...messages] = JSON.parse(payload) as unknown[]
    return typeof origin === 'string' ? [origin, ...messages] : []
  } catch {
    return []
  }
}

function isProcessMessage(message: unknown): message is ProcessMessage {
  return isObject(message) && message.topic === 'process'
}

/** Topics that this version does not know are those of newer ones. */
function isBusMessage(message: unknown): message is BusMessage {
  if (!isObject(message)) return false
  const { topic, namespace, user = '', detail = '' } = message
  return [topic, namespace, user, detail].every((value) => typeof value === 'string')
}

/**
 * The messages between this process and others. A payload is JSON, `[origin, message, …]`; without messages, or when it
 * cannot be read, it is a `gap`: any message may be missing.
 */
export class ProcessMessages {
  readonly #others = new OtherProcesses()
  readonly #origin: string
  /** The beginning of every payload of this process. */
  readonly #head: string
  readonly #maxPayloadBytes: number
  /** Undefined: all processes get a `gap`. */
  #messages: BusMessage[] | undefined = []

  constructor({ origin, maxPayloadBytes }: { readonly origin: string; readonly maxPayloadBytes: number }) {
    this.#origin = origin
    this.#head = JSON.stringify([origin]).slice(0, -1)
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

  /** The payload that says that this process is open, to be sent before its first commit and then every second at least. */
  openPayload(): string {
    return this.#ownPayload('open')
  }

  /** The last payload of this process. */
  closedPayload(): string {
    return this.#ownPayload('closed')
  }

  #ownPayload(detail: ProcessMessage['detail']): string {
    return JSON.stringify([this.#origin, { topic: 'process', detail } satisfies ProcessMessage])
  }

  isOwn(payload: string): boolean {
    return payload.startsWith(this.#head)
  }

  /** Delivers a payload of another process to the listeners of this one. */
  receive(payload: string, local: LocalBus): void {
    if (this.isOwn(payload)) return
    const [origin, ...messages] = parsePayload(payload)
    if (origin !== undefined) this.#others.heard(origin, systemEffects.monotonic())
    if (messages.length === 0) local.deliver('gap')
    for (const message of messages) {
      if (!isProcessMessage(message)) local.deliver(isBusMessage(message) ? message : 'gap')
      else if (message.detail === 'closed' && origin !== undefined) this.#others.ended(origin)
    }
  }

  /** Delivers a `gap` when a process may have been killed between a commit and its message. To be called every second. */
  checkOthers(local: LocalBus): void {
    if (this.#others.takeSilent(systemEffects.monotonic())) local.deliver('gap')
  }

  #split(messages: readonly BusMessage[]): string[] {
    const payloads: string[] = []
    let payload = ''
    let bytes = 0
    for (const text of new Set(messages.map((message) => JSON.stringify(message)))) {
      const added = Buffer.byteLength(text) + 1
      if (payload !== '' && bytes + added > this.#maxPayloadBytes) {
        payloads.push(`${payload}]`)
        payload = ''
      }
      if (payload === '') {
        payload = this.#head
        bytes = Buffer.byteLength(this.#head) + 1
      }
      payload += `,${text}`
      bytes += added
    }
    if (payload !== '') payloads.push(`${payload}]`)
    return payloads
  }
}
