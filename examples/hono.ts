// Purser as a handler from Request to Response: below a Hono application, and as the handlers of a Next.js route.
import { createServer } from '@purser/server'
import { Hono } from 'hono'
import { openPurser } from 'purser'

await using purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo' } },
})
await using server = await createServer({
  purser,
  prefix: '/purser',
  authorize: () => ({ actor: 'hono example', role: 'service' }),
})

const app = new Hono()
app.get('/', (c) => c.json({ application: 'mine' }))
app.all('/purser/*', (c) => server.fetch(c.req.raw))

// In Next.js: app/purser/[...path]/route.ts
export const GET = (request: Request): Promise<Response> => server.fetch(request)
export const POST = (request: Request): Promise<Response> => server.fetch(request)

const request = (): Request =>
  new Request('http://localhost/purser/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-purser-user': 'ada' },
    body: JSON.stringify({ stream: true, messages: [{ role: 'user', content: 'Hello from Hono' }] }),
  })
const response = await app.request(request())
console.log(response.status, response.headers.get('content-type'))
for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) process.stdout.write(text)
console.log((await POST(request())).status)
