import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { COMPLETION } from './completion.ts'

/* An OpenAI-compatible upstream that answers at once. Prints its port when it listens. */
const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(COMPLETION) })
    response.end(COMPLETION)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
