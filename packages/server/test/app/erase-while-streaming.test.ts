import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startCuttingProxy } from '../../../purser/test/support/cutting-proxy.ts'
import { rounds } from '../../../purser/test/support/fuzz-options.ts'
import { noPostgres, sharedPostgres } from '../../../purser/test/support/postgres-server.ts'
import { noRedis, sharedRedis, untilTrue } from '../../../purser/test/support/redis-server.ts'
import { TEST_SECRET_KEY } from '../../../purser/test/support/test-store.ts'
import { type Purser, startPurser, startUpstream, type Upstream } from '../support/processes.ts'

/*
 * A user is erased on one instance while another one streams an answer to that user and receives no messages: nothing of the
 * person may come back, by the end of the turn, its record, an answer, or what the instance has in memory.
 */

/** Everything that the person is and says has this in it. */
const MARK = 'unmistakable'

interface Location {
  readonly url: string
  readonly port: number
  /** What is stored and has the mark in it. */
  findMark(): Promise<readonly string[]>
}

async function onRedis(): Promise<Location> {
  const server = await sharedRedis()
  const url = server.url()
  const prefix = new URL(url).searchParams.get('prefix')
  const contentOf = async (key: string): Promise<unknown> => {
    const type = await server.command<string>('TYPE', key)
    if (type === 'hash') return server.command('HGETALL', key)
    if (type === 'zset') return server.command('ZRANGE', key, '0', '-1')
    return server.command(type === 'set' ? 'SMEMBERS' : 'GET', key)
  }
  return {
    url,
    port: server.port,
    async findMark() {
      const marked: string[] = []
      for (const key of await server.command<string[]>('KEYS', `${prefix}*`))
        if (key.includes(MARK) || JSON.stringify(await contentOf(key)).includes(MARK)) marked.push(key)
      return marked
    },
  }
}

async function onPostgres(): Promise<Location> {
  const server = await sharedPostgres()
  const url = server.url()
  const schema = new URL(url).searchParams.get('schema')
  return {
    url,
    port: server.port,
    async findMark() {
      const tables = await server.query(`SELECT table_name FROM information_schema.tables
        WHERE table_schema = '${schema}'`)
      const marked: string[] = []
      for (const { table_name: table } of tables) {
        const rows = await server.query(`SELECT t::text FROM ${schema}.${table} AS t WHERE t::text LIKE '%${MARK}%'`)
        if (rows.length > 0) marked.push(String(table))
      }
      return marked
    },
  }
}

let upstream: Upstream
before(async () => {
  upstream = await startUpstream('erase')
})
after(() => upstream.stop())

const start = (store: string): Promise<Purser> =>
  startPurser({
    store,
    secretKey: TEST_SECRET_KEY,
    providers: { local: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'x', models: ['m'] } },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    ledger: { dailyCap: 100 },
    answers: { enabled: true },
  })

const ask = (purser: Purser, user: string, content: string, stream: boolean): Promise<Response> =>
  purser.chat({ user, stream, messages: [{ role: 'user', content }] })

async function eraseWhileStreaming(location: Location): Promise<void> {
  await using proxy = await startCuttingProxy(location.port)
  const cut = new URL(location.url)
  cut.port = String(proxy.port)
  const [erasing, streaming] = await Promise.all([start(location.url), start(cut.href)])
  after(() => Promise.all([erasing.stop('SIGKILL'), streaming.stop('SIGKILL')]))
  for (let round = 0; round < rounds(10, 1); round++) {
    const user = `user-${MARK}-${round}`
    const path = `/api/users/${user}`
    assert.equal((await streaming.api('PUT', `${path}/profile`, { name: MARK })).status, 200)
    assert.equal((await ask(streaming, user, `hello ${MARK}`, false)).status, 200)
    assert.notDeepEqual(await location.findMark(), [], 'there is something to erase')
    const response = await ask(streaming, user, `slow ${MARK}`, true)
    assert.equal(response.status, 200)
    const reader = response.body?.getReader()
    await reader?.read()

    proxy.isBusSilent = true
    const erased = await erasing.api('POST', `${path}/erase`, { reason: 'asked' })
    assert.equal(erased.status, 200, JSON.stringify(erased.body))
    await upstream.release()
    // The stream ends, or was cut when the instance noticed that it receives no messages.
    while ((await reader?.read().catch(() => undefined))?.done === false);
    const existsOn = async (purser: Purser): Promise<boolean> =>
      ((await purser.api('GET', path)).body as { exists: boolean }).exists
    await untilTrue(async () => !(await existsOn(streaming)), 'The other instance still has the user.')
    assert.equal(await existsOn(erasing), false)
    // Longer than the end of a turn waits to be written.
    await untilTrue(async () => (await location.findMark()).length === 0, 'Something of the user is stored.')
    proxy.isBusSilent = false

    await upstream.reset()
    const again = await ask(streaming, user, 'hello again', false)
    assert.equal(again.headers.get('x-purser-cache'), 'miss')
    const [request] = await upstream.requests()
    assert.ok(!JSON.stringify(request?.body.messages).includes(MARK), 'the next user with this id gets the old context')
    assert.equal((await erasing.api('POST', `${path}/erase`, { reason: 'asked' })).status, 200)
  }
  assert.deepEqual(await location.findMark(), [])
}

describe('erasing on one instance while another one streams and receives no messages', () => {
  test('on Redis', { skip: noRedis }, async () => eraseWhileStreaming(await onRedis()))
  test('on PostgreSQL', { skip: noPostgres }, async () => eraseWhileStreaming(await onPostgres()))
})
