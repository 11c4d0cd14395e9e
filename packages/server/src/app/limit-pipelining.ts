import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests that a connection may send before it has the answers to earlier ones. Clients that are in use send one. */
const MAX_WAITING = 16

const waitingRequests = new WeakMap<Socket, number>()

/**
 * Closes a connection that sends many requests without waiting for answers: Node handles all requests of one packet at
 * once and keeps their answers until the client has read the earlier ones. False: the connection is closed.
 */
export function limitPipelining({ socket }: IncomingMessage, response: ServerResponse): boolean {
  // The response has the connection unless it waits for an earlier one.
  if (response.socket !== null) return true
  if (socket.destroyed) return false
  const waiting = (waitingRequests.get(socket) ?? 0) + 1
  if (waiting > MAX_WAITING) {
    socket.destroy()
    return false
  }
  waitingRequests.set(socket, waiting)
  response.once('close', () => waitingRequests.set(socket, (waitingRequests.get(socket) ?? 1) - 1))
  return true
}
