// A chat page in one HTML file (chat.html) behind the sessions of an application. The browser has no API key: `authorize` says
// which user it is. PORT=3000 npm run --silent node -- examples/chat-page.ts, then open http://127.0.0.1:3000
import { readFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from '@purser/server'

const page = await readFile(new URL('chat.html', import.meta.url))
const purser = await createServer({
  config: { store: 'memory:', ledger: { dailyCap: 3 }, server: { logLevel: 'silent' } },
  prefix: '/purser',
  authorize(request) {
    // A real application verifies its own session here. A page of another origin must not use the session of the browser.
    const [, user] = /(?:^|; )user=(\w+)/.exec(request.headers.get('cookie') ?? '') ?? []
    const isSameOrigin = request.headers.get('sec-fetch-site') !== 'cross-site'
    return user === undefined || !isSameOrigin ? null : { actor: 'chat page', role: 'user', user }
  },
})

const host = createHttpServer((request, response) => {
  void purser.node(request, response, () => {
    const headers = { 'content-type': 'text/html', 'set-cookie': 'user=ada; HttpOnly; SameSite=Strict; Path=/' }
    response.writeHead(200, headers).end(page)
  })
})
await new Promise<void>((resolve) => host.listen(Number(process.env.PORT ?? 0), '127.0.0.1', resolve))
const address = host.address()
console.log(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`)

process.once('SIGTERM', async () => {
  host.close()
  await purser.close()
})
