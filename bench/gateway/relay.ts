import { createServer } from 'node:http'
import { Pool } from 'undici'

/*
 * The bare relay: reads a request, sends it to the upstream and passes the response on, and nothing else. What a gateway
 * on Node.js costs at least.
 */
const [origin = '', port] = process.argv.slice(2)
const upstream = new Pool(origin)

const server = createServer(async (request, response) => {
  const body: Buffer[] = []
  for await (const chunk of request) body.push(chunk)
  const answer = await upstream.request({
    path: request.url ?? '/',
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer bench' },
    body: Buffer.concat(body),
  })
  const { 'content-type': type = '', 'content-length': length } = answer.headers
  response.writeHead(answer.statusCode, {
    'content-type': type,
    ...(length === undefined ? {} : { 'content-length': length }),
  })
  response.on('close', () => answer.body.destroy())
  answer.body.on('error', () => response.destroy())
  answer.body.pipe(response)
})
server.keepAliveTimeout = 60_000
server.listen(Number(port), '127.0.0.1')
