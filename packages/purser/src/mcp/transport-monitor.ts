import type { JSONRPCMessage, RequestId, Transport } from '@modelcontextprotocol/client'

/** Detects when a connection must not be used for further calls. */
export interface TransportMonitor {
  readonly isBroken: boolean
  /** Calls the listener once, when the connection breaks; at once if it is broken already. */
  onBroken(listener: () => void): void
  /** Resolves when the transport has closed. */
  readonly closed: Promise<void>
  /** Marks the connection as broken and fails all pending requests. */
  markLost(): void
}

/** A JSON-RPC error with a code of the implementation. */
const CONNECTION_LOST = { code: -32_000, message: 'The connection was lost before the response arrived.' }

/**
 * Monitors a transport, before a client is connected to it. A connection is broken when it closed, when it could not
 * send (a server answers 404 for a session it has dropped), and when a call on it was cancelled or timed out: the late
 * response must never reach the next caller. A call whose response stream ended early fails at once; the client alone
 * would wait for its timeout.
 */
export function monitorTransport(transport: Transport): TransportMonitor {
  const pendingIds = new Set<RequestId>()
  const closed = Promise.withResolvers<void>()
  let onBroken: (() => void) | undefined
  let isBroken = false

  function markBroken(): void {
    if (isBroken) return
    isBroken = true
    onBroken?.()
  }

  function failRequest(id: RequestId): void {
    if (!pendingIds.delete(id)) return
    markBroken()
    transport.onmessage?.({ jsonrpc: '2.0', id, error: CONNECTION_LOST })
  }

  transport.onclose = () => {
    closed.resolve()
    markBroken()
  }
  transport.onmessage = (message) => {
    const id = responseIdOf(message)
    if (id !== undefined) pendingIds.delete(id)
  }
  const send = transport.send.bind(transport)
  transport.send = async (message, options) => {
    const id = requestIdOf(message)
    if (id !== undefined) pendingIds.add(id)
    if ('method' in message && message.method === 'notifications/cancelled') markBroken()
    options?.requestSignal?.addEventListener('abort', markBroken, { once: true })
    const onRequestStreamEnd = options?.onRequestStreamEnd ?? (id === undefined ? undefined : () => failRequest(id))
    try {
      await send(message, { ...options, ...(onRequestStreamEnd && { onRequestStreamEnd }) })
    } catch (error) {
      if (id !== undefined) pendingIds.delete(id)
      markBroken()
      throw error
    }
  }

  return {
    closed: closed.promise,
    get isBroken() {
      return isBroken
    },
    onBroken(listener) {
      onBroken = listener
      if (isBroken) listener()
    },
    markLost() {
      markBroken()
      for (const id of pendingIds) failRequest(id)
    },
  }
}

function requestIdOf(message: JSONRPCMessage): RequestId | undefined {
  return 'method' in message && 'id' in message ? message.id : undefined
}

function responseIdOf(message: JSONRPCMessage): RequestId | undefined {
  return 'method' in message ? undefined : message.id
}
