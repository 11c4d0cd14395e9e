import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openPurser } from 'purser'
import {
  noPostgres,
  sharedPostgres,
  startPostgres,
  startStandby,
} from '../../../purser/test/support/postgres-server.ts'
import { noRedis, startRedis } from '../../../purser/test/support/redis-server.ts'
import { FAST_SECRET_KEY, openFastWebhooks } from '../support/fast-webhooks.ts'
import { createTempDirectory, runPurser } from '../support/processes.ts'
import { openWebhookReceiver } from '../support/webhook-receiver.ts'

const secretKey = Buffer.alloc(32, 1).toString('base64')

interface Found {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
  readonly hint?: string
}

/** The problems that doctor finds with a configuration; asserts the exit code and that each problem has a fix. */
async function findProblems(config: object, directory = createTempDirectory()): Promise<Map<string, Found>> {
  writeFileSync(join(directory, 'purser.config.json'), JSON.stringify({ secretKey, ...config }))
  const { stdout, code } = await runPurser(['doctor', '--json'], directory, {
    ...('store' in config ? { PURSER_STORE: String(config.store) } : {}),
  })
  const problems = (JSON.parse(stdout).data as Found[]).filter(({ ok, check }) => !ok && check !== 'deck')
  for (const problem of problems) assert.ok(problem.hint !== undefined && problem.hint !== '', problem.check)
  if (problems.length > 0) assert.equal(code, 6)
  return new Map(problems.map((problem) => [problem.check, problem]))
}

describe('doctor and a store in PostgreSQL', { skip: noPostgres }, () => {
  test('finds instances with another secret key or other limits', async () => {
    const store = (await sharedPostgres()).url()
    const other = Buffer.alloc(32, 2).toString('base64')
    await using first = await openPurser({ store, secretKey, ledger: { dailyCap: 5 } })
    assert.ok(first)
    const same = await findProblems({ store, ledger: { dailyCap: 5 } })
    assert.deepEqual(
      [...same.keys()].filter((check) => check.startsWith('instance')),
      [],
    )
    const limits = await findProblems({ store, ledger: { dailyCap: 6 } })
    assert.match(limits.get('instance limits')?.detail ?? '', /another one in 1 of 1/)
    assert.match(limits.get('instance limits')?.hint ?? '', /purser config print --json/)
    assert.equal(limits.get('instance secret key'), undefined)
    const rotated = await findProblems({
      store,
      secretKey: { current: other, previous: [secretKey] },
      ledger: { dailyCap: 5 },
    })
    assert.match(rotated.get('instance secret key')?.hint ?? '', /PURSER_SECRET_KEY/)
    const wrong = await findProblems({ store, secretKey: Buffer.alloc(32, 3).toString('base64') })
    assert.match(wrong.get('store')?.detail ?? '', /secret key/i)
  })

  test('finds a clock that differs from that of the server', async () => {
    const server = await sharedPostgres()
    // The session calls a function of this name that is ahead.
    await server.query(`CREATE SCHEMA ahead; CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql
      AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$`)
    const store = `${server.url()}&options=${encodeURIComponent('-c search_path=ahead,pg_catalog')}`
    const problems = await findProblems({ store })
    assert.match(problems.get('clock')?.detail ?? '', /^3\d{6} ms behind the store$/)
    assert.match(problems.get('clock')?.hint ?? '', /timedatectl/)
  })

  test('finds a store that cannot be written, one that is a standby, and a server that does not answer', async () => {
    await using primary = await startPostgres()
    const url = primary.url()
    await using purser = await openPurser({ store: url, secretKey })
    await purser.user('ann').ledger.admit()
    const readOnly = `${url}&options=${encodeURIComponent('-c default_transaction_read_only=on')}`
    assert.match((await findProblems({ store: readOnly })).get('store')?.hint ?? '', /read-only/)
    await using standby = await startStandby(primary)
    const ofStandby = new URL(url)
    ofStandby.port = String(standby.port)
    assert.match((await findProblems({ store: ofStandby.href })).get('store')?.hint ?? '', /address of the primary/)
    const closed = await findProblems({ store: 'postgres://purser@127.0.0.1:1/postgres' })
    assert.match(closed.get('store')?.hint ?? '', /Nothing listens/)
  })
})

test('doctor finds a Redis that evicts keys or writes no file', { skip: noRedis }, async () => {
  await using server = await startRedis({ args: ['--save', ''] })
  await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
  const problems = await findProblems({ store: server.url() })
  assert.match(problems.get('store eviction')?.hint ?? '', /CONFIG SET maxmemory-policy noeviction/)
  assert.match(problems.get('store writes')?.hint ?? '', /CONFIG SET appendonly yes/)
  for (const [name, value] of [
    ['maxmemory-policy', 'noeviction'],
    ['appendonly', 'yes'],
  ] as const)
    await server.command('CONFIG', 'SET', name, value)
  const repaired = await findProblems({ store: server.url() })
  assert.deepEqual(
    [...repaired.keys()].filter((check) => check.startsWith('store')),
    [],
  )
})

test('doctor names a webhook whose deliveries fail, without the path of its URL, until they succeed', async () => {
  const directory = createTempDirectory()
  const store = `sqlite:${join(directory, 'purser.db')}`
  await using receiver = await openWebhookReceiver()
  receiver.answer = (response) => response.writeHead(500).end()
  const isFailing = async (expected: boolean): Promise<string> => {
    const { purser, webhooks } = await openFastWebhooks(store)
    const { id } =
      (await webhooks.list())[0] ?? (await webhooks.create({ url: `${receiver.url}/secret-token` }, 'root'))
    if (expected) await purser.user('ada').ledger.record('app:seen')
    webhooks.start()
    while ((await webhooks.find(id))?.isFailing !== expected) await new Promise((resolve) => setImmediate(resolve))
    await webhooks.close()
    await purser.close()
    return `webhook ${id}`
  }
  const check = await isFailing(true)
  const config = { store, secretKey: FAST_SECRET_KEY }
  const finding = (await findProblems(config, directory)).get(check)
  assert.match(finding?.detail ?? '', /^http:\/\/127\.0\.0\.1:\d+: 1 waiting, 0 dead; last error: status 500$/)
  assert.match(finding?.hint ?? '', /GET \/api\/webhooks\/\w+\/deliveries/)
  receiver.answer = (response) => response.writeHead(204).end()
  await isFailing(false)
  assert.equal((await findProblems(config, directory)).get(check), undefined)
})
