import { createServer } from 'node:http'
import fastify from 'fastify'
import { ANSWER } from './answer.ts'

/*
 * What is left when a gateway does nothing: every request gets the same text. `http` reads no request, `fastify` parses
 * its body as the gateway has to. Nobody who also decides, keeps and looks something up on this machine is faster.
 */
const [kind, port] = process.argv.slice(2)

if (kind === 'http') {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(ANSWER) })
    response.end(ANSWER)
  })
  server.listen(Number(port), '127.0.0.1')
} else {
  const app = fastify()
  app.post('/v1/chat/completions', (_request, reply) => reply.type('application/json').send(ANSWER))
  await app.listen({ port: Number(port), host: '127.0.0.1' })
}
