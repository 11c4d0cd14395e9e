// A Fastify application with the gateway, the management API and the Deck below /purser. The application knows its users
// by a session of its own; `authorize` tells Purser who calls.
import { purserPlugin } from '@purser/server'
import Fastify from 'fastify'
import { openPurser } from 'purser'

const purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo' } },
})
const app = Fastify()
app.get('/', async () => ({ application: 'mine' }))
await app.register(purserPlugin, {
  purser,
  prefix: '/purser',
  authorize: (request) => {
    const user = request.headers.get('x-session-of')
    return user === null ? null : { actor: 'fastify example', role: 'user', user }
  },
})
// Purser was opened here, so it is closed here.
app.addHook('onClose', () => purser.close())

const url = await app.listen({ port: Number(process.env.PORT ?? 0) })
const response = await fetch(`${url}/purser/v1/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'x-session-of': 'ada' },
  body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello from Fastify' }] }),
})
const { choices } = (await response.json()) as { choices: { message: { content: string } }[] }
console.log(response.status, choices[0]?.message.content.split('\n')[0])
console.log(await (await fetch(`${url}/`)).text())
if (process.env.PORT === undefined) await app.close()
