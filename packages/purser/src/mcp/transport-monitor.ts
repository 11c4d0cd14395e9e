import type { JSONRPCMessage, RequestId, Transport } from '@modelcontextprotocol/client'

/** Tells when a connection must not be given to anybody any more. */
export interface TransportMonitor {
  readonly isBroken: boolean
  onBroken(listener: () => void): void
  /** Resolves when the transport has closed. */
  readonly closed: Promise<void>
  /** The connection is lost: whoever waits for an answer is told so. */
  lose(): void
}

/** JSON-RPC: a server error of the implementation's own. */
const CONNECTION_LOST = { code: -32_000, message: 'The connection was lost before the answer came.' }

/**
 * Watches a transport that no client has been connected to yet. Broken is a connection that closed, one that could
 * not send (a session the server has forgotten answers 404), and one on which a call was cancelled or timed out:
 * its late answer must never meet the next caller. A call whose answer stream ended early fails at once, where the
 * client alone would wait for its time-out.
 */
export function monitorTransport(transport: Transport): TransportMonitor {
  const unanswered = new Set<RequestId>()
  const closed = Promise.withResolvers<void>()
  let listener: (() => void) | undefined
  let isBroken = false

  function broken(): void {
    if (isBroken) return
    isBroken = true
    listener?.()
  }

  function fail(id: RequestId): void {
    if (!unanswered.delete(id)) return
    broken()
    transport.onmessage?.({ jsonrpc: '2.0', id, error: CONNECTION_LOST })
  }

  transport.onclose = () => {
    closed.resolve()
    broken()
  }
  transport.onmessage = (message) => {
    const answered = answerTo(message)
    if (answered !== undefined) unanswered.delete(answered)
  }
  const send = transport.send.bind(transport)
  transport.send = async (message, options) => {
    const id = requestIn(message)
    if (id !== undefined) unanswered.add(id)
    if ('method' in message && message.method === 'notifications/cancelled') broken()
    options?.requestSignal?.addEventListener('abort', broken, { once: true })
    const onRequestStreamEnd = options?.onRequestStreamEnd ?? (id === undefined ? undefined : () => fail(id))
    try {
      await send(message, { ...options, ...(onRequestStreamEnd && { onRequestStreamEnd }) })
    } catch (error) {
      if (id !== undefined) unanswered.delete(id)
      broken()
      throw error
    }
  }

  return {
    closed: closed.promise,
    get isBroken() {
      return isBroken
    },
    onBroken(told) {
      listener = told
      if (isBroken) told()
    },
    lose() {
      broken()
      for (const id of unanswered) fail(id)
    },
  }
}

function requestIn(message: JSONRPCMessage): RequestId | undefined {
  return 'method' in message && 'id' in message ? message.id : undefined
}

function answerTo(message: JSONRPCMessage): RequestId | undefined {
  return 'method' in message ? undefined : message.id
}
