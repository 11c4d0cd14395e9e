import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openPurser } from 'purser'
import { getMeta } from 'purser/internal'
import { createTempDirectory, runPurser } from '../../support/processes.ts'
import { openServerHarness, type ServerHarness } from '../../support/server-harness.ts'

/*
 * Erasures as other processes see them. Two servers on one store share nothing else, so they stand for two processes.
 */

const KEY = { 'idempotency-key': 'k' }

/** Every kind of call whose response a server keeps for a repeat, and where its effect shows. */
const CALLS = [
  ['PUT', 'profile', { name: 'Ada' }, 'profile'],
  ['PATCH', 'profile', { name: 'Ada' }, 'profile'],
  ['POST', 'notes', { text: 'likes boats' }, 'notes'],
  ['POST', 'actions', [{ action: 'Played' }], 'actions'],
  ['POST', 'detections', { phase: 'warm' }, 'events'],
  ['POST', 'admissions', { cost: 2 }, 'bond'],
  ['PUT', 'cap', { cap: 7 }, 'events'],
  ['PUT', 'block', { reason: 'x' }, 'events'],
  ['PUT', 'timezone', { timeZone: 'Asia/Tokyo' }, 'events'],
  ['POST', 'correct', { phase: 'warm', reason: 'x' }, 'events'],
  ['POST', 'sessions', { id: 's', policy: 'pin' }, 'sessions'],
  ['PATCH', 'runtime', { model: 'demo' }, 'events'],
  ['PUT', 'secrets/demo', { apiKey: 'sk' }, 'secrets'],
] as const

async function openTwo(): Promise<{ one: ServerHarness; two: ServerHarness; directory: string }> {
  const directory = createTempDirectory()
  const config = { store: `sqlite:${join(directory, 'data', 'purser.db')}` } as const
  const one = await openServerHarness({ config, realTime: true })
  return { one, two: await openServerHarness({ config, realTime: true, keyName: 'second' }), directory }
}

async function view({ call }: ServerHarness, path: string): Promise<string> {
  const { data, ...rest } = (await call('GET', `/api/users/ada/${path}`)).json()
  return JSON.stringify(
    data?.length ?? { ...rest, updatedAt: 0, createdAt: 0, lastSeenAt: 0, head: 0, phaseEnteredAt: 0 },
  )
}

const ERASERS = {
  'the other server': async ({ one }: { one: ServerHarness }) => {
    assert.equal((await one.call('POST', '/api/users/ada/erase', { reason: 'asked' })).json().purged, true)
  },
  'the library of the other server': ({ one }: { one: ServerHarness }) =>
    one.user('ada').erase({ actor: 'a', reason: 'asked' }),
  'the command': async ({ directory }: { directory: string }) => {
    const { code, stderr } = await runPurser(['erase', 'ada', '--confirm', 'ada', '--reason', 'x'], directory)
    assert.equal(code, 0, stderr)
  },
  'the same server': ({ two }: { two: ServerHarness }) => two.user('ada').erase({ actor: 'a', reason: 'asked' }),
} as const

for (const [name, erase] of Object.entries(ERASERS))
  test(`after an erasure by ${name} no kept response is replayed, and the same calls have their effect again`, async () => {
    const servers = await openTwo()
    const { one, two } = servers
    const effects: string[] = []
    for (const [method, path, body, shown] of CALLS) {
      const first = await two.call(method, `/api/users/ada/${path}`, body, KEY)
      assert.ok(first.statusCode < 300, `${path} ${first.body}`)
      const repeat = await two.call(method, `/api/users/ada/${path}`, body, KEY)
      assert.equal(repeat.headers['idempotent-replayed'], 'true', path)
      effects.push(await view(two, shown))
    }
    await erase(servers as never)
    for (const [index, [method, path, body, shown]] of CALLS.entries()) {
      const again = await two.call(method, `/api/users/ada/${path}`, body, KEY)
      assert.deepEqual(
        [again.statusCode < 300, again.headers['idempotent-replayed']],
        [true, undefined],
        `${path} ${again.body}`,
      )
      assert.equal(await view(two, shown), effects[index], path)
      assert.equal(await view(one, shown), effects[index], `${path} at the other server`)
    }
    await Promise.all([one, two].map((server) => server[Symbol.asyncDispose]()))
  })

test('the receipt of an erasure is replayed, and erases nothing again', async () => {
  await using harness = await openServerHarness()
  await harness.call('PUT', '/api/users/ada/profile', { name: 'Ada' })
  const erase = () => harness.call('POST', '/api/users/ada/erase', { reason: 'asked' }, KEY)
  const first = await erase()
  await harness.call('PUT', '/api/users/ada/profile', { name: 'Ada again' })
  const repeat = await erase()
  assert.deepEqual([repeat.body, repeat.headers['idempotent-replayed']], [first.body, 'true'])
  assert.deepEqual((await harness.call('GET', '/api/users/ada/profile')).json(), { name: 'Ada again' })
})

test('the response of a call whose user is erased meanwhile is not replayed', async () => {
  const { one, two } = await openTwo()
  for (let round = 0; round < 10; round++) {
    const note = () =>
      two.call('POST', '/api/users/ada/notes', { text: `n${round}` }, { 'idempotency-key': `k${round}` })
    const [first] = await Promise.all([note(), one.user('ada').erase({ actor: 'a', reason: 'r' })])
    const exists = (await two.call('GET', '/api/users/ada/notes')).json().data.length === 1
    const repeat = await note()
    assert.equal(
      (await two.call('GET', '/api/users/ada/notes')).json().data.length,
      1,
      `${exists} ${first.body} ${repeat.body}`,
    )
    await one.user('ada').erase({ actor: 'a', reason: 'r' })
  }
  await Promise.all([one, two].map((server) => server[Symbol.asyncDispose]()))
})

for (const [name, erase] of Object.entries(ERASERS))
  test(`an erasure by ${name} revokes the keys of the user and leaves no byte of the id`, async () => {
    const servers = await openTwo()
    const { one, two, directory } = servers
    const create = async (user: string) =>
      (await one.call('POST', '/api/keys', { role: 'user', user, name: `key of ${user}` })).json().key as string
    const [key, other] = [await create('ada'), await create('bob')]
    const models = (server: ServerHarness, token: string) =>
      server.fastify.inject({ url: '/v1/models', headers: { authorization: `Bearer ${token}` } })
    /** Another process sees a change of the keys within a second. */
    const waitFor = async (server: ServerHarness, token: string, status: number): Promise<void> => {
      const deadline = performance.now() + 60_000
      while ((await models(server, token)).statusCode !== status)
        assert.ok(performance.now() < deadline, `not ${status}`)
    }
    for (const server of [one, two]) for (const token of [key, other]) await waitFor(server, token, 200)
    await erase(servers as never)
    const files = ['purser.db', 'purser.db-wal', 'purser-cache.db', 'purser-cache.db-wal'].map((file) =>
      join(directory, 'data', file),
    )
    for (const file of files)
      if (existsSync(file)) assert.ok(!readFileSync(file).includes('key of ada'), `the name of the key is in ${file}`)
    for (const server of [one, two]) {
      await waitFor(server, key, 401)
      await waitFor(server, other, 200)
    }
    // Without the ids of keys, which are random and may have these letters in them.
    const keys = (await one.call('GET', '/api/keys')).json().data.map(({ id, ...shown }: { id: string }) => shown)
    assert.ok(keys.some(({ user }: { user: string }) => user === 'bob') && !JSON.stringify(keys).includes('ada'))
    await Promise.all([one, two].map((server) => server[Symbol.asyncDispose]()))
  })

test('an erasure without a server leaves other keys and unreadable lists of keys as they are', async () => {
  const purser = await openPurser({ store: 'memory:' })
  for (const stored of ['not json', 'null', '{"keys":5}', '{"v":1,"started":true,"keys":[{"user":"bob","id":"1"}]}']) {
    await getMeta(purser).compareAndSet('server-keys', await getMeta(purser).get('server-keys'), stored)
    await purser.user('ada').erase({ actor: 'a', reason: 'r' })
    assert.equal(await getMeta(purser).get('server-keys'), stored)
  }
  await purser.close()
})
