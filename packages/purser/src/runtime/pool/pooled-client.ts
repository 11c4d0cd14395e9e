import { withSignal } from '../../core/abort.ts'
import type { AbortSignalLike } from '../../core/call-signal.ts'
import { publish } from '../../core/diagnostics.ts'
import type { Effects } from '../../core/effects.ts'
import type { ActiveClient } from '../api.ts'
import type { CloseReason, GracefulClose } from './graceful-close.ts'

/** Notified of the state of a client by the pool entry that owns it. */
export interface PoolListener {
  /** Its last reference was released, and it stays open. */
  onIdle?(): void
  /** It has a reference again. */
  onUsed?(): void
  /** It gets no new references. Called once. */
  onRetired(): void
  /** It begins to close: unused, or destroyed. Called once, unless it never opened. */
  onClosing?(): void
  /** It is closed, no longer waited for, or failed to open. Called once. */
  onClosed(): void
}

export interface PooledClientDeps {
  readonly namespace: string
  readonly effects: Effects
  readonly gracefulClose: GracefulClose
}

export interface ClientLabel {
  readonly kind: 'model' | 'mcp'
  readonly name: string
  /** Identifies the credentials that the client was made with; null without any. */
  readonly credentialVersion: string | null
}

interface Closable {
  close(): Promise<void>
}

/**
 * A live client with a reference count. A retired client gets no new references and closes when the last one is
 * released. It closes exactly once, also when several calls ask for it or when it opens only after it was retired.
 */
export class PooledClient<T extends Closable> {
  readonly label: ClientLabel
  readonly #deps: PooledClientDeps
  readonly #listener: PoolListener
  readonly #opening: Promise<T>
  readonly #cancelOpening: AbortController | undefined
  #value: T | undefined
  #references = 0
  #closeReason: CloseReason | undefined
  #isBroken = false
  #closing: Promise<void> | undefined
  #idleSince: number

  /** `open`: the client, or a function that opens it. */
  constructor(
    deps: PooledClientDeps,
    label: ClientLabel,
    { open, listener }: { open: T | ((signal: AbortSignal) => Promise<T>); listener: PoolListener },
  ) {
    this.#deps = deps
    this.label = label
    this.#listener = listener
    this.#idleSince = deps.effects.monotonic()
    if (typeof open === 'function') {
      this.#cancelOpening = new AbortController()
      this.#opening = this.#open(open as (signal: AbortSignal) => Promise<T>, this.#cancelOpening.signal)
      this.#opening.catch(() => undefined)
    } else {
      this.#value = open
      this.#opening = Promise.resolve(open)
      this.#report('opened', 0)
    }
  }

  /** Undefined until it has opened. */
  get value(): T | undefined {
    return this.#value
  }

  get isRetired(): boolean {
    return this.#closeReason !== undefined
  }

  /** Callers that have a reference must not use it for further calls either. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  get isInUse(): boolean {
    return this.#references > 0
  }

  /** Monotonic ms; maintained only with a listener for `onIdle`. */
  get idleSince(): number {
    return this.#idleSince
  }

  describe(): ActiveClient {
    const state = this.isRetired ? 'draining' : this.#value === undefined ? 'opening' : 'open'
    return { kind: this.label.kind, name: this.label.name, state, inUse: this.#references }
  }

  /** Adds a reference; every `retain` needs one `release`. */
  retain(): void {
    if (this.#references++ === 0) this.#listener.onUsed?.()
  }

  release(): void {
    if (--this.#references > 0) return
    if (this.#closeReason !== undefined) void this.#close(this.#closeReason)
    else if (this.#listener.onIdle !== undefined) {
      this.#idleSince = this.#deps.effects.monotonic()
      this.#listener.onIdle()
    }
  }

  /** Waits until it is open. Aborting `signal` ends the wait, not the opening. */
  ready(signal: AbortSignalLike | undefined): Promise<T> {
    return withSignal(this.#opening, signal)
  }

  /** Allows no new references. Resolves at once while the client is in use, otherwise when it is closed. */
  async retire(reason: CloseReason): Promise<void> {
    if (reason === 'broken') this.#isBroken = true
    if (this.#closeReason === undefined) this.#retire(reason)
    if (this.#references === 0) await this.#close(reason)
  }

  /** Closes the client now, in use or not. */
  destroy(reason: CloseReason): Promise<void> {
    if (this.#closeReason === undefined) this.#retire(reason)
    return this.#close(reason)
  }

  #retire(reason: CloseReason): void {
    this.#closeReason = reason
    this.#listener.onRetired()
  }

  #close(reason: CloseReason): Promise<void> {
    this.#closing ??= this.#beginClose(reason)
    return this.#closing
  }

  #beginClose(reason: CloseReason): Promise<void> {
    const { gracefulClose } = this.#deps
    const { kind } = this.label
    const closeValue = (value: T): Promise<void> =>
      gracefulClose.begin(kind, reason, () => value.close()).then(() => this.#listener.onClosed())
    this.#listener.onClosing?.()
    if (this.#value !== undefined) return closeValue(this.#value)
    this.#cancelOpening?.abort(new Error('The client is no longer needed.'))
    return gracefulClose.track(this.#opening.then(closeValue, () => this.#listener.onClosed()))
  }

  async #open(open: (signal: AbortSignal) => Promise<T>, cancelled: AbortSignal): Promise<T> {
    // The constructor must have returned: `open` may refer to this client.
    await undefined
    const startedAt = this.#deps.effects.monotonic()
    const getElapsed = (): number => this.#deps.effects.monotonic() - startedAt
    try {
      this.#value = await open(cancelled)
    } catch (error) {
      this.#report('failed', getElapsed())
      if (this.#closeReason === undefined) this.#retire('broken')
      this.#closing ??= Promise.resolve(this.#listener.onClosed())
      throw error
    }
    this.#report('opened', getElapsed())
    return this.#value
  }

  #report(outcome: 'opened' | 'failed', tookMs: number): void {
    publish('client', { namespace: this.#deps.namespace, kind: this.label.kind, outcome, tookMs })
  }
}
