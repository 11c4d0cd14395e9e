// A route of Next.js, or of any framework whose routes are functions from Request to Response. In an application this file is
// app/purser/[...path]/route.ts, without its last part, and the gateway is at /purser/v1.
import { createServer, type PurserServer } from '@purser/server'

/** One server for all requests of the process; it is created by the first one. */
let server: Promise<PurserServer> | undefined

function openServer(): Promise<PurserServer> {
  server ??= createServer({
    config: { store: 'memory:', ledger: { dailyCap: 50 } },
    prefix: '/purser',
    authorize: (request) => {
      const user = request.headers.get('x-session-of') // what the session of the application says
      return user === null ? null : { actor: 'next example', role: 'user', user }
    },
  })
  return server
}

async function handle(request: Request): Promise<Response> {
  return (await openServer()).fetch(request)
}

export { handle as DELETE, handle as GET, handle as PATCH, handle as POST, handle as PUT }

// What the framework does: it calls the function of the method.
if (import.meta.main) {
  const request = new Request('http://localhost/purser/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-session-of': 'ada' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello from a route' }] }),
  })
  const response = await handle(request)
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] }
  console.log(response.status, choices[0]?.message.content.split('\n')[0])
  const me = await handle(new Request('http://localhost/purser/v1/me', { headers: { 'x-session-of': 'ada' } }))
  console.log(await me.json())
  console.log((await handle(new Request('http://localhost/purser/v1/me'))).status)
  await (await openServer()).close()
}
