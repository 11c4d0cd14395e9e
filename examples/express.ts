// An Express application with Purser below /purser, behind a body parser of the application.
import { createServer } from '@purser/server'
import express from 'express'
import { openPurser } from 'purser'

const purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo' } },
})
const server = await createServer({
  purser,
  prefix: '/purser',
  authorize: () => ({ actor: 'express example', role: 'service' }),
})
const app = express()
app.use(express.json({ limit: '20mb' })) // Purser takes a body that is already parsed
app.use('/purser', server.node)
app.get('/', (_request, response) => void response.json({ application: 'mine' }))

const listener = app.listen(Number(process.env.PORT ?? 0), '127.0.0.1')
await new Promise((resolve) => listener.once('listening', resolve))
const address = listener.address()
const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`

const response = await fetch(`${url}/purser/v1/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'x-purser-user': 'ada' },
  body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello from Express' }] }),
})
const { choices } = (await response.json()) as { choices: { message: { content: string } }[] }
console.log(response.status, choices[0]?.message.content.split('\n')[0])
console.log(await (await fetch(`${url}/`)).text())

if (process.env.PORT === undefined) {
  listener.close()
  await server.close()
  await purser.close()
}
