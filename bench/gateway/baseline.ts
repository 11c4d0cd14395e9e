import { createServer } from 'node:http'
import fastify from 'fastify'
import { COMPLETION } from './completion.ts'

/*
 * The upper bound for a gateway on this machine: every request gets the same text. `http` reads no request, `fastify`
 * parses the body as the gateway has to.
 */
const [kind, port] = process.argv.slice(2)

if (kind === 'http') {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(COMPLETION) })
    response.end(COMPLETION)
  })
  server.listen(Number(port), '127.0.0.1')
} else {
  const app = fastify()
  app.post('/v1/chat/completions', (_request, reply) => reply.type('application/json').send(COMPLETION))
  await app.listen({ port: Number(port), host: '127.0.0.1' })
}
