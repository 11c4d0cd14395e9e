import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { Effects } from 'purser'
import { LINGER_MAX_BYTES, linger } from '../app/linger.ts'

/**
 * Limits what is read of a body after its request was answered, as one without a valid key is, and gives back what the
 * body took of the budget. Node reads and drops a refused body without a limit, so that the connection can be used
 * again.
 */
export function limitBody(
  request: Pick<FastifyRequest, 'raw' | 'bodyShare'>,
  response: ServerResponse,
  effects: Effects,
): void {
  const { raw } = request
  const { headers } = raw
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return
  // Before `finish`, with which Node would begin to drop the body.
  response.on('prefinish', () => {
    if (raw.complete !== false || raw.destroyed) return
    drain(raw, effects)
    const isSmall = Number(headers['content-length']) <= LINGER_MAX_BYTES
    if (!isSmall) response.once('finish', () => raw.socket.end())
  })
  // Node emits it after `finish` as well.
  response.on('close', () => void request.bodyShare?.resize(0))
}

/**
 * Drops a small rest of the body. Of a larger one a part is read, while the client reads the answer and sees that the
 * connection ends, so that it sends its next request on another one.
 */
function drain(request: IncomingMessage, effects: Effects): void {
  const { socket } = request
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > LINGER_MAX_BYTES) request.pause()
  })
  request.on('error', () => undefined)
  request.once('end', linger(socket, effects))
}
