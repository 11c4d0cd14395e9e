import assert from 'node:assert/strict'
import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { openPurser } from 'purser'
import { createServer } from '../../../src/app/server.ts'
import { createTempDirectory, runPurser } from '../../support/processes.ts'
import { openServerHarness } from '../../support/server-harness.ts'

const USERS = ['ada', 'bob', 'cleo', 'dan']

/** A store with two events for each user and three in the namespace's own log. */
async function createStore(): Promise<{ directory: string; path: string; checkpoint: string }> {
  const directory = createTempDirectory()
  const path = join(directory, 'data', 'purser.db')
  const purser = await openPurser({ store: `sqlite:${path}` })
  for (const id of USERS) {
    await purser.user(id).ledger.block({ actor: 'test', reason: 'test' })
    await purser.user(id).ledger.unblock({ actor: 'test' })
  }
  await purser.checkpoint({ actor: 'grace' })
  await purser.checkpoint()
  const checkpoint = await purser.checkpoint()
  await purser.close()
  return { directory, path, checkpoint }
}

function tamper(path: string, user: string): void {
  const database = new DatabaseSync(path)
  database
    .prepare(
      `UPDATE events SET body = replace(body, '"actor"', '"Actor"')
       WHERE uid = (SELECT uid FROM users WHERE id = ?) AND sequence = 1`,
    )
    .run(user)
  database.close()
}

test('verify over HTTP and from the command line covers all users and the log of the namespace, after a bad one too', async () => {
  const { directory, path } = await createStore()
  const verify = async () => {
    const { stdout, code } = await runPurser(['verify', '--json'], directory)
    return { code, ...(JSON.parse(stdout) as { ok: boolean; checked: number; firstBad?: { user: string } }) }
  }
  assert.deepEqual(await verify(), { code: 0, ok: true, checked: 11 })
  tamper(path, 'bob')
  const bad = await verify()
  // The events of bob are not counted; those of the users after bob and of the namespace are.
  assert.deepEqual([bad.code, bad.ok, bad.checked, bad.firstBad?.user], [6, false, 9, 'bob'])

  await using harness = await openServerHarness({ config: { store: `sqlite:${path}` }, realTime: true })
  const response = (await harness.call('POST', '/api/verify')).json()
  assert.deepEqual([response.ok, response.checked, response.firstBad.user], [false, 9, 'bob'])
  const one = (await harness.call('POST', '/api/verify', { user: 'cleo' })).json()
  assert.deepEqual(one, { ok: true, checked: 2 })
})

test('a damaged log of the namespace is found over HTTP', async () => {
  const { path } = await createStore()
  tamper(path, '')
  await using harness = await openServerHarness({ config: { store: `sqlite:${path}` }, realTime: true })
  const { ok, checked, firstBad } = (await harness.call('POST', '/api/verify')).json()
  assert.deepEqual([ok, checked, firstBad.user], [false, 8, ''])
})

test('a checkpoint from the route or the command finds a store that was rolled back, and names who asked for it', async () => {
  const { directory, path } = await createStore()
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) copyFileSync(path + suffix, `${path}.old${suffix}`)
  }
  const run = (...args: string[]) => runPurser(args, directory)
  const made = await run('checkpoint')
  assert.equal(made.code, 0, made.stderr)
  const file = join(directory, 'checkpoint.txt')
  writeFileSync(file, made.stdout)
  assert.equal((await run('verify', '--checkpoint', file)).code, 0)
  assert.equal((await run('verify', '--checkpoint', join(directory, 'none'))).code, 3)
  writeFileSync(`${file}.bad`, made.stdout.replace('events', 'Events'))
  assert.equal((await run('verify', '--checkpoint', `${file}.bad`)).code, 2)
  for (const suffix of ['', '-wal', '-shm']) {
    rmSync(path + suffix, { force: true })
    if (existsSync(`${path}.old${suffix}`)) copyFileSync(`${path}.old${suffix}`, path + suffix)
  }
  const rolledBack = await run('verify', '--checkpoint', file)
  assert.equal(rolledBack.code, 6)
  assert.match(rolledBack.stdout, /rolled back/)

  await using harness = await openServerHarness({ config: { store: `sqlite:${path}` }, realTime: true })
  const types = 'checkpoint'
  const tail = harness.context.purser.events({ types: [types] })[Symbol.asyncIterator]()
  const next = tail.next()
  const response = await harness.call('GET', '/api/checkpoint')
  assert.match(String(response.headers['content-type']), /^text\/plain/)
  assert.equal((await next).value?.actor, 'root')
  await tail.return?.()
  const verified = await harness.call('POST', '/api/verify', { checkpoint: response.body })
  assert.equal(verified.json().ok, true)
  const refused = await harness.call('POST', '/api/verify', { checkpoint: 'no' })
  assert.deepEqual([refused.statusCode, refused.json().error.code], [400, 'checkpoint_invalid'])
})

test('a server on a Purser of the host knows its models, phases and risk levels, and no address or key of it', async () => {
  await using purser = await openPurser({
    providers: {
      local: {
        kind: 'openai-compatible',
        baseURL: 'http://127.0.0.1:9/secret-path',
        apiKey: 'secret',
        models: ['a', 'b'],
      },
      other: { kind: 'openai', apiKey: 'secret', defaultModel: 'c' },
      own: () => ({ languageModel: () => assert.fail() }),
    },
    runtime: { defaults: { provider: 'local', model: 'a', allowedModels: ['a', 'b', 'other/c', 'own/d', 'none/e'] } },
    ledger: { phases: ['cold', 'warm'], riskLevels: ['none', 'some'] },
  })
  const service = 'service-key-0123456789-abcdefghij'
  const admin = 'admin-key-0123456789-abcdefghijkl'
  const server = await createServer({ purser, keys: { service, admin } })
  const list = async (headers: Record<string, string>) => {
    const response = await server.fastify.inject({
      url: '/v1/models',
      headers: { authorization: `Bearer ${service}`, ...headers },
    })
    return (response.json() as { data: { id: string }[] }).data.map(({ id }) => id)
  }
  assert.deepEqual(await list({}), ['auto', 'a', 'b', 'other/c'])
  assert.deepEqual(await list({ 'x-purser-user': 'ada' }), ['auto', 'a', 'b', 'other/c', 'own/d'])
  const overview = await server.fastify.inject({
    url: '/api/overview',
    headers: { authorization: `Bearer ${admin}` },
  })
  assert.deepEqual(overview.json().vocabulary, { phases: ['cold', 'warm'], riskLevels: ['none', 'some'] })
  assert.doesNotMatch(JSON.stringify([overview.body, [...purser.vocabulary.models]]), /secret/)
  await server.close()
})
