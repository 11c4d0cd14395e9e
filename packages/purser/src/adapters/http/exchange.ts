import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Effects } from '../../effects.ts'
import { PurserError } from '../../errors.ts'

/** How long the rest of an answer, whose end was told, may take before its socket is closed, ms. */
const DISCARD_TIMEOUT_MS = 1_000

/** Bytes that have come but were not read; above it the socket is not read either. */
const MAX_WAITING_BYTES = 262_144

export interface Exchange {
  /** Rejects with the network's error, the signal's reason, or what the body was cancelled with. */
  readonly head: Promise<Head>
  readonly body: ByteReader
}

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
export function exchange(dispatcher: Dispatcher, call: Call): Exchange {
  const { signal, maxBytes } = call
  const { promise: head, resolve, reject } = Promise.withResolvers<Head>()
  let control: Dispatcher.DispatchController | undefined
  let waiting: Buffer[] = []
  let waitingBytes = 0
  let bytes = 0
  let over = false
  let failure: { readonly reason: unknown } | undefined
  let reader: PromiseWithResolvers<Buffer | undefined> | undefined
  let stopDiscarding: (() => void) | undefined

  function end(fault?: { readonly reason: unknown }): void {
    if (over) return
    over = true
    failure = fault
    signal.removeEventListener('abort', onAbort)
    stopDiscarding?.()
    if (fault !== undefined) {
      waiting = []
      reject(fault.reason)
      reader?.reject(fault.reason)
    } else reader?.resolve(undefined)
    reader = undefined
  }

  function cancel(reason: unknown): void {
    if (over) return
    end({ reason })
    control?.abort(new Error('The call was cancelled.'))
  }

  function onAbort(): void {
    cancel(signal.reason)
  }

  const body: ByteReader = {
    cancel,
    discard() {
      if (over || stopDiscarding !== undefined) return
      const rest = new Error('The answer has ended.')
      stopDiscarding = call.effects.setTimer(() => cancel(rest), DISCARD_TIMEOUT_MS, { background: true })
      waiting = []
      waitingBytes = 0
      if (control?.paused) control.resume()
    },
    read() {
      const [next] = waiting
      if (next !== undefined) {
        waiting.shift()
        waitingBytes -= next.length
        if (control?.paused && waitingBytes < MAX_WAITING_BYTES) control.resume()
        return Promise.resolve(next)
      }
      if (failure !== undefined) return Promise.reject(failure.reason)
      if (over) return Promise.resolve(undefined)
      reader = Promise.withResolvers()
      return reader.promise
    },
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(controller) {
      control = controller
      if (over) controller.abort(new Error('The call was cancelled.'))
    },
    onResponseStart(_, status, headers) {
      if (status >= 200) resolve({ status, headers })
    },
    onResponseData(controller, chunk) {
      if (over || stopDiscarding !== undefined) return
      bytes += chunk.length
      if (bytes > maxBytes) {
        return cancel(new PurserError('upstream_failed', `The provider sent more than ${maxBytes} bytes.`))
      }
      if (reader !== undefined) {
        const taker = reader
        reader = undefined
        return taker.resolve(chunk)
      }
      waiting.push(chunk)
      waitingBytes += chunk.length
      if (waitingBytes >= MAX_WAITING_BYTES) controller.pause()
    },
    onResponseEnd: () => end(),
    onResponseError: (_, reason) => end({ reason }),
  }

  if (signal.aborted) end({ reason: signal.reason })
  else {
    signal.addEventListener('abort', onAbort)
    dispatcher.dispatch({ method: 'POST', path: call.path, headers: call.headers, body: call.body }, handler)
  }
  return { head, body }
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
