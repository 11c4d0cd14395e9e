import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Effects } from '../../core/effects.ts'
import { PurserError } from '../../errors.ts'

/** How long the rest of an answer, whose end was told, may take before its socket is closed, ms. */
const DISCARD_TIMEOUT_MS = 1_000

/** Bytes that have come but were not read; above it the socket is not read either. */
const MAX_WAITING_BYTES = 262_144

export interface Head {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

/** The body of a response, read by one reader. */
export interface ByteReader {
  /** The next bytes as they come; undefined after the last. Rejects when the response was cut or cancelled. */
  read(): Promise<Buffer | undefined>
  /** Stops the call and closes its socket, if it is still under way; a pending read rejects with the reason. */
  cancel(reason: unknown): void
  /** Nothing more will be read. The rest may come for a moment, so that the socket can be used again. */
  discard(): void
}

export interface Call {
  readonly effects: Effects
  readonly path: string
  readonly headers: string[]
  readonly body: string
  /** Aborting closes the socket, and rejects with `signal.reason`. */
  readonly signal: AbortSignal
  /** Bytes the body of the response may have; at the limit the call is cut with `upstream_failed`. */
  readonly maxBytes: number
}

/**
 * One POST, on the bare dispatcher: bytes go from the socket's parser into a queue and from there to the reader, with
 * no stream objects between. Redirects are not followed, nothing is tried twice.
 */
export class HttpCall implements ByteReader, Dispatcher.DispatchHandler {
  /** Rejects with the network's error, the signal's reason, or what the body was cancelled with. */
  readonly head: Promise<Head>
  readonly #call: Call
  readonly #begun = Promise.withResolvers<Head>()
  #control: Dispatcher.DispatchController | undefined
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #bytes = 0
  #reader: PromiseWithResolvers<Buffer | undefined> | undefined
  #isOver = false
  #failure: { readonly reason: unknown } | undefined
  #stopDiscarding: (() => void) | undefined

  constructor(dispatcher: Dispatcher, call: Call) {
    this.#call = call
    this.head = this.#begun.promise
    const { signal, path, headers, body } = call
    if (signal.aborted) this.#end({ reason: signal.reason })
    else {
      signal.addEventListener('abort', this.#onAbort)
      dispatcher.dispatch({ method: 'POST', path, headers, body }, this)
    }
  }

  read(): Promise<Buffer | undefined> {
    const next = this.#waiting.shift()
    if (next !== undefined) {
      this.#waitingBytes -= next.length
      if (this.#control?.paused && this.#waitingBytes < MAX_WAITING_BYTES) this.#control.resume()
      return Promise.resolve(next)
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure.reason)
    if (this.#isOver) return Promise.resolve(undefined)
    this.#reader = Promise.withResolvers()
    return this.#reader.promise
  }

  cancel(reason: unknown): void {
    if (this.#isOver) return
    this.#end({ reason })
    this.#control?.abort(cancelled())
  }

  discard(): void {
    if (this.#isOver || this.#stopDiscarding !== undefined) return
    const cut = (): void => this.cancel(new Error('The answer has ended.'))
    this.#stopDiscarding = this.#call.effects.setTimer(cut, DISCARD_TIMEOUT_MS, { background: true })
    this.#drop()
    if (this.#control?.paused) this.#control.resume()
  }

  onRequestStart(control: Dispatcher.DispatchController): void {
    this.#control = control
    if (this.#isOver) control.abort(cancelled())
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status >= 200) this.#begun.resolve({ status, headers })
  }

  onResponseData(control: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver || this.#stopDiscarding !== undefined) return
    this.#bytes += chunk.length
    const { maxBytes } = this.#call
    if (this.#bytes > maxBytes) {
      this.cancel(new PurserError('upstream_failed', `The provider sent more than ${maxBytes} bytes.`))
    } else if (this.#reader !== undefined) {
      this.#reader.resolve(chunk)
      this.#reader = undefined
    } else {
      this.#waiting.push(chunk)
      this.#waitingBytes += chunk.length
      if (this.#waitingBytes >= MAX_WAITING_BYTES) control.pause()
    }
  }

  onResponseEnd(): void {
    this.#end()
  }

  onResponseError(_: Dispatcher.DispatchController, reason: Error): void {
    this.#end({ reason })
  }

  readonly #onAbort = (): void => this.cancel(this.#call.signal.reason)

  #end(failure?: { readonly reason: unknown }): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#failure = failure
    this.#call.signal.removeEventListener('abort', this.#onAbort)
    this.#stopDiscarding?.()
    if (failure === undefined) this.#reader?.resolve(undefined)
    else {
      this.#drop()
      this.#begun.reject(failure.reason)
      this.#reader?.reject(failure.reason)
    }
    this.#reader = undefined
  }

  #drop(): void {
    this.#waiting = []
    this.#waitingBytes = 0
  }
}

function cancelled(): Error {
  return new Error('The call was cancelled.')
}

/** The whole body as text. */
export async function readText(body: ByteReader): Promise<string> {
  const first = await body.read()
  if (first === undefined) return ''
  const second = await body.read()
  if (second === undefined) return first.toString()
  const pieces = [first, second]
  for (let next = await body.read(); next !== undefined; next = await body.read()) pieces.push(next)
  return Buffer.concat(pieces).toString()
}

/** The beginning of the body, at most `maxBytes`, whatever happens to the rest: for what an error says. */
export async function readBeginning(body: ByteReader, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  try {
    for (let next = await body.read(); next !== undefined && length < maxBytes; next = await body.read()) {
      pieces.push(next)
      length += next.length
    }
  } catch {
    // The status is known, and more important than why its explanation was cut.
  }
  body.cancel(new Error('Enough was read.'))
  return Buffer.concat(pieces).subarray(0, maxBytes).toString()
}
