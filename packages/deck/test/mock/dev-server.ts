import type { Plugin } from 'vite'
import { createMockApi } from './server.ts'

const TRAFFIC_INTERVAL_MS = 2_000

/** Serves the mock API from Vite's dev server, signed in, with a message of some user every 2 s. */
export function mockApiPlugin(): Plugin {
  return {
    name: 'purser-mock-api',
    apply: 'serve',
    configureServer(server) {
      const api = createMockApi({ users: 120, isSignedInByDefault: true })
      server.middlewares.use((request, response, next) => {
        const url = request.url ?? '/'
        if (url.startsWith('/api/')) api.handle(request, response, url).catch(next)
        else next()
      })
      const timer = setInterval(() => {
        const users = [...api.store.users.keys()]
        const user = users[Math.floor(Math.random() * users.length)]
        if (user === undefined) return
        api.store.chat(user)
        api.send('activity', { users: [user] })
      }, TRAFFIC_INTERVAL_MS)
      server.httpServer?.once('close', () => clearInterval(timer))
    },
  }
}
