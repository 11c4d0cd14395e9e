import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerOf, CHUNKS_PER_SECOND, formatChunk } from './completion.ts'

/*
 * An upstream of all formats. A request is answered at once; a stream sends one chunk every 50 ms until its reader
 * leaves. All streams share one timer, and each chunk carries the time at which it was sent. Prints its port when it
 * listens.
 */
const streams = new Set<ServerResponse>()
setInterval(() => {
  for (const stream of streams) stream.write(formatChunk(performance.timeOrigin + performance.now()))
}, 1_000 / CHUNKS_PER_SECOND)

const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('latin1')
  request.on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () => {
    if (body.includes('"stream":true')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(formatChunk(performance.timeOrigin + performance.now()))
      streams.add(response)
      response.on('close', () => streams.delete(response))
      return
    }
    const answer = answerOf(request.url ?? '')
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) })
    response.end(answer)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
