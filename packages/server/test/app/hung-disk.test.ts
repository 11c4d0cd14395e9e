import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { untilTrue } from '../../../purser/test/support/redis-server.ts'
import type { ConfigFile } from '../../src/index.ts'
import { createTempDirectory, type Purser, startPurser, startUpstream, type Upstream } from '../support/processes.ts'

/* A disk that does not return from a write, under a real server on SQLite. */

const MESSAGES = [{ role: 'user', content: 'Hello' }]
const IMPORTED = new URL('../support/hang-commits.ts', import.meta.url).href

interface Opened {
  readonly purser: Purser
  readonly hang: string
  chat(user: string): Promise<Response>
  ready(): Promise<number>
}

async function open(upstream: Upstream, onStoreFailure: 'admit' | 'refuse'): Promise<Opened> {
  const directory = createTempDirectory()
  const hang = join(directory, 'hang')
  const config: ConfigFile = {
    store: `sqlite:${join(directory, 'purser.db')}`,
    ledger: { dailyCap: 100, onStoreFailure },
    providers: { local: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'x', models: ['m'] } },
    runtime: { defaults: { provider: 'local', model: 'm' } },
  }
  const variables = { PURSER_TEST_HANG: hang, NODE_OPTIONS: `--import=${IMPORTED}` }
  const purser = await startPurser(config, directory, variables)
  after(() => purser.stop('SIGKILL'))
  return {
    purser,
    hang,
    chat: (user) => purser.chat({ model: 'm', user, messages: MESSAGES }),
    ready: async () => (await fetch(`${purser.url}/readyz`)).status,
  }
}

test('while a disk hangs, admissions follow onStoreFailure and readiness says so, and all goes on when it returns', async () => {
  const upstream = await startUpstream('hung-disk')
  after(() => upstream.stop())
  const [admitting, refusing] = await Promise.all([open(upstream, 'admit'), open(upstream, 'refuse')])
  for (const { chat } of [admitting, refusing]) assert.equal((await chat('ann')).status, 200)
  for (const { hang } of [admitting, refusing]) writeFileSync(hang, '')
  const [admitted, refused] = await Promise.all([admitting.chat('ann'), refusing.chat('ann')])
  assert.deepEqual([admitted.status, admitted.headers.get('x-purser-store')], [200, 'unavailable'])
  assert.equal(refused.status, 503)
  assert.equal(((await refused.json()) as { error: { code: string } }).error.code, 'store_unavailable')
  for (const { ready } of [admitting, refusing]) assert.equal(await ready(), 503)
  // From now on nothing waits for the disk: as many calls as a queue could hold end.
  const others = await Promise.all(Array.from({ length: 50 }, (_, index) => refusing.chat(`user ${index}`)))
  assert.ok(others.every(({ status }) => status === 503))
  const { status, body } = await refusing.purser.api('PUT', '/api/users/ann/cap', { cap: 3 })
  assert.deepEqual([status, (body as { error: { code: string } }).error.code], [503, 'store_unavailable'])
  for (const { hang } of [admitting, refusing]) rmSync(hang)
  for (const { ready } of [admitting, refusing])
    await untilTrue(async () => (await ready()) === 200, 'Not ready again.')
  assert.equal((await refusing.chat('bob')).status, 200)
  const count = async ({ purser }: Opened): Promise<number> =>
    ((await purser.api('GET', '/api/users/ann')).body as { quota: { count: number } }).quota.count
  // The commit that hung is written when the disk returns, and its turn is counted once more: never too few.
  await untilTrue(async () => (await count(admitting)) >= 2, 'What was admitted is not counted.')
  assert.ok((await count(admitting)) <= 3)
  for (const { purser } of [admitting, refusing]) assert.equal(await purser.stop(), 0)
})
