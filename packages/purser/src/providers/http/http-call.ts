import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { AbortSignalLike } from '../../core/call-signal.ts'
import type { Effects } from '../../core/effects.ts'
import { PurserError } from '../../errors.ts'

/** How long the rest of a discarded body may take before its socket is closed. */
const DISCARD_TIMEOUT_MS = 1_000

/** Received bytes that were not read; at this size the socket is paused. */
const MAX_BUFFERED_BYTES = 262_144

export interface ResponseHead {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

/** The body of a response, for one reader. */
export interface ByteReader {
  /**
   * The next bytes, at once if they have arrived; undefined after the last. Throws or rejects when the response was cut or
   * cancelled.
   */
  read(): Buffer | undefined | Promise<Buffer | undefined>
  /** From now on, bytes that arrive while a read is pending are offered to `take` first. What it takes (true) is not read. */
  offer?(take: (bytes: Buffer) => boolean): void
  /** Aborts the call and closes its socket, if it has not ended; a pending read rejects with the reason. */
  cancel(reason: unknown): void
  /** Drops the rest of the body. It may still arrive for a moment, so that the socket can be reused. */
  discard(): void
  /** Sets the limit for the whole body; above it the call is aborted with `upstream_failed`. */
  limitTo(maxBytes: number): void
}

export interface HttpCallOptions {
  readonly effects: Effects
  readonly path: string
  /** Names and values in turn. */
  readonly headers: string[]
  /** In one piece, in several, or a stream, which is read once: a call with one is never repeated. */
  readonly body: string | readonly Buffer[] | Readable
  /** Aborting closes the socket and rejects with `signal.reason`. */
  readonly signal: AbortSignalLike
  /** Limit for the body of the response, until `limitTo` sets another; above it the call is aborted. */
  readonly maxBytes: number
}

/**
 * One POST, on the bare dispatcher: bytes pass from the socket's parser into a queue and from there to the reader,
 * without stream objects. Redirects are not followed. Only a request whose kept-alive socket had died is sent again (`core/persistent-client.ts`).
 */
export class HttpCall implements ByteReader, Dispatcher.DispatchHandler {
  /** Rejects with the network's error, the signal's reason, or the reason of `cancel`. */
  readonly head: Promise<ResponseHead>
  readonly #effects: Effects
  readonly #signal: AbortSignalLike
  readonly #head = Promise.withResolvers<ResponseHead>()
  #maxBytes: number
  #controller: Dispatcher.DispatchController | undefined
  #buffered: Buffer[] = []
  #bufferedBytes = 0
  #receivedBytes = 0
  #pendingRead: PromiseWithResolvers<Buffer | undefined> | undefined
  #take: ((bytes: Buffer) => boolean) | undefined
  #hasEnded = false
  #failure: { readonly reason: unknown } | undefined
  #cancelDiscardTimer: (() => void) | undefined

  constructor(dispatcher: Dispatcher, options: HttpCallOptions) {
    this.#effects = options.effects
    this.#signal = options.signal
    this.#maxBytes = options.maxBytes
    this.head = this.#head.promise
    const { signal } = options
    if (signal.aborted) this.#end({ reason: signal.reason })
    else {
      signal.addEventListener('abort', this.#onAbort)
      dispatcher.dispatch(toDispatched(options), this)
    }
  }

  read(): Buffer | undefined | Promise<Buffer | undefined> {
    const next = this.#buffered.shift()
    if (next !== undefined) {
      this.#bufferedBytes -= next.length
      if (this.#controller?.paused && this.#bufferedBytes < MAX_BUFFERED_BYTES) this.#controller.resume()
      return next
    }
    if (this.#failure !== undefined) throw this.#failure.reason
    if (this.#hasEnded) return undefined
    this.#pendingRead = Promise.withResolvers()
    return this.#pendingRead.promise
  }

  offer(take: (bytes: Buffer) => boolean): void {
    this.#take = take
  }

  cancel(reason: unknown): void {
    if (this.#hasEnded) return
    this.#end({ reason })
    this.#controller?.abort(cancelled())
  }

  discard(): void {
    if (this.#hasEnded || this.#cancelDiscardTimer !== undefined) return
    const cancel = (): void => this.cancel(new Error('The rest of the response was discarded.'))
    this.#cancelDiscardTimer = this.#effects.setTimer(cancel, DISCARD_TIMEOUT_MS, { background: true })
    this.#clearBuffer()
    if (this.#controller?.paused) this.#controller.resume()
  }

  limitTo(maxBytes: number): void {
    this.#maxBytes = maxBytes
    if (this.#receivedBytes > maxBytes) this.cancel(tooLarge(maxBytes))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#hasEnded) controller.abort(cancelled())
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status >= 200) this.#head.resolve({ status, headers })
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.#hasEnded || this.#cancelDiscardTimer !== undefined) return
    this.#receivedBytes += bytes.length
    if (this.#receivedBytes > this.#maxBytes) this.cancel(tooLarge(this.#maxBytes))
    else if (this.#pendingRead !== undefined) {
      if (this.#take?.(bytes) === true) return
      this.#pendingRead.resolve(bytes)
      this.#pendingRead = undefined
    } else {
      this.#buffered.push(bytes)
      this.#bufferedBytes += bytes.length
      if (this.#bufferedBytes >= MAX_BUFFERED_BYTES) controller.pause()
    }
  }

  onResponseEnd(): void {
    this.#end()
  }

  onResponseError(_: Dispatcher.DispatchController, reason: Error): void {
    this.#end({ reason })
  }

  readonly #onAbort = (): void => this.cancel(this.#signal.reason)

  #end(failure?: { readonly reason: unknown }): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#failure = failure
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#cancelDiscardTimer?.()
    if (failure === undefined) this.#pendingRead?.resolve(undefined)
    else {
      this.#clearBuffer()
      this.#head.reject(failure.reason)
      this.#pendingRead?.reject(failure.reason)
    }
    this.#pendingRead = undefined
  }

  #clearBuffer(): void {
    this.#buffered = []
    this.#bufferedBytes = 0
  }
}

/** undici reads any iterable, but does not know its length. */
function toDispatched({ path, headers, body }: HttpCallOptions): Dispatcher.DispatchOptions {
  if (typeof body === 'string' || body instanceof Readable) return { method: 'POST', path, headers, body }
  const bytes = body.reduce((sum, piece) => sum + piece.length, 0)
  const allHeaders = [...headers, 'content-length', String(bytes)]
  return { method: 'POST', path, headers: allHeaders, body: body as unknown as Readable }
}

export function tooLarge(maxBytes: number): PurserError {
  return new PurserError('upstream_failed', `The provider sent more than ${maxBytes} bytes.`)
}

function cancelled(): Error {
  return new Error('The call was cancelled.')
}

/** The complete body as text, at once if it has arrived. */
export function readText(body: ByteReader): string | Promise<string> {
  const pieces: Buffer[] = []
  for (;;) {
    const next = body.read()
    if (next instanceof Promise) return readRest(body, next, pieces)
    if (next === undefined) return toText(pieces)
    pieces.push(next)
  }
}

async function readRest(body: ByteReader, pending: Promise<Buffer | undefined>, pieces: Buffer[]): Promise<string> {
  for (let next = await pending; next !== undefined; next = await body.read()) pieces.push(next)
  return toText(pieces)
}

function toText(pieces: readonly Buffer[]): string {
  const [first] = pieces
  return first !== undefined && pieces.length === 1 ? first.toString() : Buffer.concat(pieces).toString()
}

/** The beginning of the body of an error, at most `maxBytes`. Never rejects; the rest is cancelled. */
export async function readPrefix(body: ByteReader, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  try {
    for (let next = await body.read(); next !== undefined && length < maxBytes; next = await body.read()) {
      pieces.push(next)
      length += next.length
    }
  } catch {
    // The status is known; it matters more than why the body was cut.
  }
  body.cancel(new Error('The rest of the body is not needed.'))
  return Buffer.concat(pieces).subarray(0, maxBytes).toString()
}
