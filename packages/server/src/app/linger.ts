import type { Socket } from 'node:net'
import type { Effects } from 'purser'

/** Between the answer to a request that was refused and the end of its connection, for the client to read it. */
const LINGER_MS = 1_000
/** What such a connection may still send. */
export const LINGER_MAX_BYTES = 262_144

const lingering = new WeakSet<Socket>()

/** Closes a connection in a moment, whatever its client does: one that closes at once often hides its last answer. */
export function linger(socket: Socket, effects: Effects): () => void {
  lingering.add(socket)
  const cancelTimer = effects.setTimer(() => socket.destroy(), LINGER_MS, { background: true })
  socket.once('close', cancelTimer)
  return () => {
    lingering.delete(socket)
    socket.off('close', cancelTimer)
    cancelTimer()
  }
}

/** Whether the connection has its last answer and ends in a moment. */
export function isLingering(socket: Socket): boolean {
  return lingering.has(socket)
}
