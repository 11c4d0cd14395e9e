import type { Socket } from 'node:net'
import { type buildConnector, Client, type Dispatcher } from 'undici'

/** Errors of a socket that the other side has closed. */
const CLOSED_CODES: ReadonlySet<unknown> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])
/** `HTTP/1.1 1xx`: what decides whether a response is informational. */
const STATUS_LENGTH = 12
const INFORMATIONAL = /^HTTP\/1\.[01] 1(?!01)\d\d/
/** Where the status begins in it. */
const STATUS_START = 9
const DIGIT_ONE = 0x31
/** Informational responses before one answer. */
const INFORMATIONAL_MAX_BYTES = 65_536

/**
 * The `factory` of an undici pool for servers that differ from undici's expectations in two points:
 *
 * - A server closes an idle socket at the moment a request is sent on it. When such a socket dies before any byte of the
 *   answer has arrived, the request is sent once more, on a new socket. On a new socket nothing is repeated, nor is a
 *   body that can be read only once.
 * - A server sends an informational response (`100 Continue`, `103 Early Hints`) that was not asked for. These are
 *   skipped; undici fails the call on 100.
 */
export function createPersistentClient(origin: string | URL, options: object): Dispatcher {
  const { connect, ...others } = options as Client.Options & { connect: buildConnector.connector }
  const client = new Client(origin, {
    ...others,
    connect(target, callback) {
      connect(target, (...result) => {
        // undici passes no socket at all with an error.
        const socket = result[1] ?? undefined
        calls.connection = socket === undefined || isHttp2(socket) ? undefined : new Connection(socket)
        callback(...result)
      })
    },
  })
  const calls: ClientCalls = { connection: undefined, dispatch: client.dispatch.bind(client) }
  client.dispatch = (request, handler) =>
    calls.dispatch(request, new CallHandler(calls, handler, isRepeatable(request.body) ? request : undefined))
  return client
}

/** The calls of one client. */
interface ClientCalls {
  /** Undefined while there is none, and for HTTP/2. */
  connection: Connection | undefined
  readonly dispatch: Dispatcher['dispatch']
}

function isHttp2(socket: Socket): boolean {
  return 'alpnProtocol' in socket && socket.alpnProtocol === 'h2'
}

function isRepeatable(body: unknown): boolean {
  const isAbsent = body === undefined || body === null
  return isAbsent || typeof body === 'string' || body instanceof Uint8Array || Array.isArray(body)
}

/** Passes one call on to its handler, and repeats the call instead of reporting that its kept-alive socket died. */
class CallHandler implements Dispatcher.DispatchHandler {
  readonly #calls: ClientCalls
  readonly #handler: Dispatcher.DispatchHandler
  /** Undefined if the call must not be repeated. */
  readonly #request: Dispatcher.DispatchOptions | undefined
  #connection: Connection | undefined
  #wasUsedBefore = false

  constructor(
    calls: ClientCalls,
    handler: Dispatcher.DispatchHandler,
    request: Dispatcher.DispatchOptions | undefined,
  ) {
    this.#calls = calls
    this.#handler = handler
    this.#request = request
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#connection = this.#calls.connection
    this.#wasUsedBefore = this.#connection?.beginCall() ?? false
    this.#handler.onRequestStart?.(controller, context)
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    const isClosed = CLOSED_CODES.has((error as Error & { code?: unknown }).code)
    const canRepeat = this.#wasUsedBefore && isClosed && this.#connection?.hasReceived === false
    const request = this.#request
    if (canRepeat && request !== undefined) queueMicrotask(() => this.#repeat(request))
    else this.#handler.onResponseError?.(controller, error)
  }

  /** After the failure, the client has no socket: what it dispatches next makes a new one. */
  #repeat(request: Dispatcher.DispatchOptions): void {
    this.#calls.dispatch(request, new CallHandler(this.#calls, this.#handler, undefined))
  }

  onRequestUpgrade(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>>): void {
    this.#handler.onRequestUpgrade?.(...args)
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.()
  }

  onResponseStart(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    this.#handler.onResponseStart?.(...args)
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    this.#handler.onResponseData?.(controller, bytes)
  }

  onResponseEnd(...args: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#handler.onResponseEnd?.(...args)
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.()
  }
}

/** Whether the bytes begin with the head of an answer, and not with that of an informational response. */
function isFinalHead(bytes: Buffer): boolean {
  return bytes.length >= STATUS_LENGTH && bytes[STATUS_START] !== DIGIT_ONE
}

/** One HTTP/1.1 socket: whether it was used before, and the bytes of its answers without informational responses. */
class Connection {
  readonly #socket: Socket
  #calls = 0
  #hasRead = false
  /** The head of the answer to the current call has not begun. */
  #awaitsHead = false
  #held: Buffer | undefined
  #informationalBytes = 0

  constructor(socket: Socket) {
    this.#socket = socket
    const read = socket.read.bind(socket)
    socket.read = (size?: number): Buffer | null => {
      for (;;) {
        const bytes = read(size) as Buffer | null
        if (bytes === null) return null
        this.#hasRead = true
        const answer = this.#awaitsHead ? this.#skipInformational(bytes) : bytes
        if (answer !== undefined) return answer
      }
    }
  }

  /** Whether a byte has arrived since the current call began. */
  get hasReceived(): boolean {
    return this.#hasRead || this.#socket.readableLength > 0
  }

  /** A request is about to be sent. Returns whether the socket has served one before. */
  beginCall(): boolean {
    this.#hasRead = false
    this.#awaitsHead = true
    this.#held = undefined
    this.#informationalBytes = 0
    return this.#calls++ > 0
  }

  /** The bytes from the head of the answer on; undefined until they arrive. */
  #skipInformational(received: Buffer): Buffer | undefined {
    if (this.#held === undefined && isFinalHead(received)) {
      this.#awaitsHead = false
      return received
    }
    let bytes = this.#held === undefined ? received : Buffer.concat([this.#held, received])
    this.#held = undefined
    for (;;) {
      if (bytes.length < STATUS_LENGTH) return this.#hold(bytes)
      if (!INFORMATIONAL.test(bytes.toString('latin1', 0, STATUS_LENGTH))) break
      const end = bytes.indexOf('\r\n\r\n')
      const length = end === -1 ? bytes.length : end + 4
      if (this.#informationalBytes + length > INFORMATIONAL_MAX_BYTES) {
        this.#socket.destroy(
          new Error(`More than ${INFORMATIONAL_MAX_BYTES} bytes of informational responses arrived.`),
        )
        return undefined
      }
      if (end === -1) return this.#hold(bytes)
      this.#informationalBytes += length
      bytes = bytes.subarray(length)
    }
    this.#awaitsHead = false
    return bytes
  }

  #hold(bytes: Buffer): undefined {
    if (bytes.length > 0) this.#held = bytes
  }
}
