import { withSignal } from '../../core/abort.ts'
import { publish } from '../../core/diagnostics.ts'
import type { Effects } from '../../core/effects.ts'
import type { ActiveClient } from '../api.ts'
import type { CloseReason, GracefulClose } from './graceful-close.ts'

/** What is told about a client to those who keep it. */
export interface PoolListener {
  /** Nobody holds it any more, and it may stay. */
  idle?(): void
  /** Somebody holds it again. */
  held?(): void
  /** It is given to nobody any more. Called once. */
  leaving(): void
  /** It is on its way out: nobody holds it, or it was cut. Called once, unless it never opened. */
  closing?(): void
  /** It is closed, no longer waited for, or never opened. Called once. */
  gone(): void
}

export interface PooledClientDeps {
  readonly namespace: string
  readonly effects: Effects
  readonly closings: GracefulClose
}

export interface ClientLabel {
  readonly kind: 'model' | 'mcp'
  readonly name: string
  /** Which version of the user's secret it was made with; null without one. */
  readonly credential: string | null
}

interface Closable {
  close(): Promise<void>
}

/**
 * A live client and those who hold it. Letting go of it (`retire`) means: nobody new gets it, and it closes when the
 * last holder has left. It closes exactly once, whoever asks how often, and also when it opens after it was let go.
 */
export class PooledClient<T extends Closable> {
  readonly label: ClientLabel
  readonly #house: PooledClientDeps
  readonly #keeper: PoolListener
  readonly #opening: Promise<T>
  readonly #cancelOpening: AbortController | undefined
  #value: T | undefined
  #holders = 0
  #farewell: CloseReason | undefined
  #isBroken = false
  #closing: Promise<void> | undefined
  #idleSince: number

  constructor(
    house: PooledClientDeps,
    label: ClientLabel,
    { open, keeper }: { open: T | ((signal: AbortSignal) => Promise<T>); keeper: PoolListener },
  ) {
    this.#house = house
    this.label = label
    this.#keeper = keeper
    this.#idleSince = house.effects.monotonic()
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

  get isLeaving(): boolean {
    return this.#farewell !== undefined
  }

  /** Not fit for those either who hold it already. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  get isHeld(): boolean {
    return this.#holders > 0
  }

  /** Monotonic; kept only for those whose keeper wants to know when they are idle. */
  get idleSince(): number {
    return this.#idleSince
  }

  look(): ActiveClient {
    const state = this.isLeaving ? 'draining' : this.#value === undefined ? 'opening' : 'open'
    return { kind: this.label.kind, name: this.label.name, state, inUse: this.#holders }
  }

  /** Every `hold` needs one `release`. */
  hold(): void {
    if (this.#holders++ === 0) this.#keeper.held?.()
  }

  release(): void {
    if (--this.#holders > 0) return
    if (this.#farewell !== undefined) void this.#close(this.#farewell)
    else if (this.#keeper.idle !== undefined) {
      this.#idleSince = this.#house.effects.monotonic()
      this.#keeper.idle()
    }
  }

  /** Waits until it is open. An aborted wait leaves the opening to the others. */
  ready(waiter: AbortSignal | undefined): Promise<T> {
    return withSignal(this.#opening, waiter)
  }

  /** Lets go of it. Resolves at once while it is held, else when it is closed. */
  async retire(farewell: CloseReason): Promise<void> {
    if (farewell === 'broken') this.#isBroken = true
    if (this.#farewell === undefined) this.#leave(farewell)
    if (this.#holders === 0) await this.#close(farewell)
  }

  /** Closes it now, held or not. */
  cut(farewell: CloseReason): Promise<void> {
    if (this.#farewell === undefined) this.#leave(farewell)
    return this.#close(farewell)
  }

  #leave(farewell: CloseReason): void {
    this.#farewell = farewell
    this.#keeper.leaving()
  }

  #close(farewell: CloseReason): Promise<void> {
    this.#closing ??= this.#begin(farewell)
    return this.#closing
  }

  #begin(farewell: CloseReason): Promise<void> {
    const { closings } = this.#house
    const { kind } = this.label
    const value = this.#value
    this.#keeper.closing?.()
    if (value !== undefined) return closings.begin(kind, farewell, () => value.close()).then(() => this.#keeper.gone())
    this.#cancelOpening?.abort(new Error('Nobody waits for this client any more.'))
    const late = this.#opening.then(
      (opened) => closings.begin(kind, farewell, () => opened.close()).then(() => this.#keeper.gone()),
      () => this.#keeper.gone(),
    )
    return closings.follow(late)
  }

  async #open(open: (signal: AbortSignal) => Promise<T>, cancelled: AbortSignal): Promise<T> {
    // The constructor must have returned: what is opened may ask for this client.
    await undefined
    const startedAt = this.#house.effects.monotonic()
    const took = (): number => this.#house.effects.monotonic() - startedAt
    try {
      this.#value = await open(cancelled)
    } catch (error) {
      this.#report('failed', took())
      if (this.#farewell === undefined) this.#leave('broken')
      this.#closing ??= Promise.resolve(this.#keeper.gone())
      throw error
    }
    this.#report('opened', took())
    return this.#value
  }

  #report(outcome: 'opened' | 'failed', tookMs: number): void {
    publish('client', { namespace: this.#house.namespace, kind: this.label.kind, outcome, tookMs })
  }
}
