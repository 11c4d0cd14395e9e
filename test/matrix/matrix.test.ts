import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { noPostgres, sharedPostgres } from '../../packages/purser/test/support/postgres-server.ts'
import { noRedis, sharedRedis } from '../../packages/purser/test/support/redis-server.ts'
import { TEST_SECRET_KEY } from '../../packages/purser/test/support/test-store.ts'
import type { ConfigFile } from '../../packages/server/src/index.ts'
import { createTempDirectory, SERVICE_KEY } from '../../packages/server/test/support/processes.ts'
import { CLIENTS, type ClientName, HOSTS, isInShortRun, STORES, type StoreName } from './cells.ts'
import { ASK } from './clients.ts'
import { type Host, OPEN } from './hosts.ts'

/*
 * Every host with every client on every store: the answer has the user's context, whole and as a stream, and both turns are
 * counted for the user and for no other. `npm test` takes the cells of `isInShortRun`, PURSER_TEST_FULL=1 all of them.
 */

const isFull = process.env.PURSER_TEST_FULL === '1'

const OPEN_STORE: Readonly<Record<StoreName, () => Promise<string>>> = {
  memory: async () => 'memory:',
  SQLite: async () => `sqlite:${join(createTempDirectory(), 'purser.db')}`,
  PostgreSQL: async () => (await sharedPostgres()).url(),
  Redis: async () => (await sharedRedis()).url(),
}
const NO_SERVER: { readonly [Name in StoreName]?: string | false } = { PostgreSQL: noPostgres, Redis: noRedis }

const CONFIG: ConfigFile = {
  secretKey: TEST_SECRET_KEY,
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo' } },
  ledger: { dailyCap: 10 },
  server: { port: 0, logLevel: 'silent' },
}

for (const store of STORES) {
  const noServer = NO_SERVER[store] ?? false
  describe(store, { skip: noServer }, () => {
    for (const host of HOSTS) {
      const clients = CLIENTS.filter((client) => isFull || isInShortRun(host, client, store))
      test(`${host}: ${clients.join(', ')}`, async () => {
        await using running = await OPEN[host]({ ...CONFIG, store: await OPEN_STORE[store]() })
        for (const client of clients) await checkClient(running, client)
      })
    }
  })
}

async function checkClient({ url }: Host, client: ClientName): Promise<void> {
  const user = `user of ${client}`
  const call = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const headers = {
      authorization: `Bearer ${SERVICE_KEY}`,
      'content-type': 'application/json',
      'x-purser-user': user,
    }
    const response = await fetch(`${url}${path}`, { ...init, headers })
    assert.ok(response.ok, `${path}: ${response.status}`)
    return response.json()
  }
  const name = `Name for ${client.replaceAll('`', '')}`
  await call(`/api/users/${encodeURIComponent(user)}/profile`, { method: 'PUT', body: JSON.stringify({ name }) })
  const question = `Hello from ${client}`
  const [whole, streamed] = await ASK[client]({ url, key: SERVICE_KEY, user }, question)
  for (const text of [whole, streamed]) {
    assert.ok(text.startsWith(`You said: "${question}"`), `${client}: ${text}`)
    assert.ok(text.includes(name), `${client}: ${text}`)
  }
  const { count, remaining } = (await call('/v1/me')) as { count: number; remaining: number }
  assert.deepEqual({ client, count, remaining }, { client, count: 2, remaining: 8 })
}
