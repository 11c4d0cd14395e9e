import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import pg from 'pg'
import { systemEffects } from '../../../src/core/effects.ts'
import { createKeyring } from '../../../src/core/keyring.ts'
import { postgresStore } from '../../../src/drivers/postgres/index.ts'
import { PurserError } from '../../../src/errors.ts'
import { openJournal } from '../../../src/journal/journal.ts'
import type { Store } from '../../../src/storage/store.ts'
import { mustCommit } from '../../../src/testing/store-contract/samples.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { noPostgres, type PostgresServer, startPostgres } from '../../support/postgres-server.ts'
import { assertConsistent } from '../assert-consistent.ts'
import { countingFold, ROOT } from '../children/counting-fold.ts'

const USERS = Array.from({ length: 16 }, (_, index) => `user ${index}`)
const ann = { namespace: 'crash', id: 'ann' }
const delay = (delayMs: number): Promise<void> => new Promise((resolve) => systemEffects.setTimer(resolve, delayMs))

interface Load {
  /** The last acknowledged sequence of each user. */
  readonly acknowledged: Map<string, number>
  readonly failures: unknown[]
  stop(): Promise<void>
}

/** Writes to all users without a pause, as `crash-writer.ts` does; a write that fails is followed by the next one. */
function startLoad(store: Store): Load {
  const journal = openJournal({ store, keys: createKeyring(ROOT), effects: systemEffects, fold: countingFold })
  const acknowledged = new Map<string, number>()
  const failures: unknown[] = []
  let isStopped = false
  async function writeForever(id: string): Promise<void> {
    while (!isStopped) {
      try {
        const sequence = await journal.write(
          { namespace: 'crash', id },
          {
            decide: ({ version }) => ({
              events: [{ type: 'test:step', detail: '', data: {} }],
              records: [{ kind: 'note', name: String(version + 1).padStart(9, '0'), value: 'y' }],
              usage: { steps: version + 1 },
              seen: true,
              result: ({ view }) => view.version,
            }),
          },
        )
        acknowledged.set(id, sequence)
      } catch (error) {
        failures.push(error)
        await delay(20)
      }
    }
  }
  const writers = Promise.all(USERS.map(writeForever))
  return {
    acknowledged,
    failures,
    async stop() {
      isStopped = true
      await writers
      await journal.close()
    },
  }
}

async function untilWritten(load: Load, total: number): Promise<void> {
  const sum = (): number => load.acknowledged.values().reduce((all, part) => all + part, 0)
  const goal = sum() + total
  while (sum() < goal) await delay(10)
}

async function assertNothingLost(store: Store, load: Load): Promise<void> {
  for (const error of load.failures) assert.ok(PurserError.is(error, 'store_unavailable'), String(error))
  for (const id of USERS) await assertConsistent(store, id, load.acknowledged.get(id) ?? 0)
}

describe('faults of PostgreSQL', { skip: noPostgres }, () => {
  const withServer = async (run: (server: PostgresServer) => Promise<void>): Promise<void> => {
    await using server = await startPostgres()
    await run(server)
  }

  test('kill -9 of the server under load loses no acknowledged commit', () =>
    withServer(async (server) => {
      const store = postgresStore({ url: server.url(), timeoutMs: 2_000 })
      const load = startLoad(store)
      for (let round = 0; round < rounds(20, 2); round++) {
        await untilWritten(load, 200)
        server.kill('SIGKILL')
        await server.restart()
      }
      await untilWritten(load, 200)
      await load.stop()
      assert.ok(load.failures.length > 0)
      await assertNothingLost(store, load)
      await store.close()
    }))

  test('connections that are terminated at random lose no acknowledged commit', () =>
    withServer(async (server) => {
      printSeed('terminated connections')
      const store = postgresStore({ url: server.url() })
      const load = startLoad(store)
      await untilWritten(load, 20)
      const admin = new pg.Client({ connectionString: server.url().split('?')[0] })
      await admin.connect()
      await admin.query('SELECT setseed($1)', [(seed % 1_000) / 1_000])
      for (let kills = 0; kills < rounds(10_000, 200); kills++) {
        await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'purser' ORDER BY random() LIMIT 1`)
        if (kills % 10 === 0) await untilWritten(load, 5)
      }
      await admin.end()
      await load.stop()
      assert.ok(load.failures.length > 0)
      await assertNothingLost(store, load)
      await store.close()
    }))

  test('a server that stops answering costs each call its deadline, and is used again when it answers', () =>
    withServer(async (server) => {
      const store = postgresStore({ url: server.url(), timeoutMs: 300 })
      const expect = await mustCommit(store, ann)
      await server.freeze(async () => {
        const startedAt = systemEffects.monotonic()
        const calls = [store.users.load(ann), mustCommit(store, ann, { expect }), store.meta.get('x')]
        for (const outcome of await Promise.allSettled(calls)) {
          assert.equal(outcome.status, 'rejected')
          assert.ok(PurserError.is(outcome.reason, 'store_unavailable'), String(outcome.reason))
        }
        assert.ok(systemEffects.monotonic() - startedAt < 5_000)
      })
      // The server finishes what it had received before.
      for (;;) {
        const row = await store.users.load(ann).catch(() => undefined)
        if (row !== undefined) break
      }
      await store.close()
    }))

  test('a lock of another client costs a call its deadline, and nothing of it is written later', () =>
    withServer(async (server) => {
      const url = server.url()
      const store = postgresStore({ url, timeoutMs: 300 })
      const expect = await mustCommit(store, ann)
      const admin = new pg.Client({ connectionString: url.split('?')[0] })
      await admin.connect()
      const schema = new URL(url).searchParams.get('schema')
      await admin.query('BEGIN')
      await admin.query(`LOCK TABLE ${schema}.users IN ACCESS EXCLUSIVE MODE`)
      await assert.rejects(mustCommit(store, ann, { expect }), { code: 'store_unavailable' })
      await admin.query('ROLLBACK')
      assert.equal(await mustCommit(store, ann, { expect }), 2)
      await admin.end()
      await store.close()
    }))

  test('a listener that is cut without a word is noticed within a second, and listens again', () =>
    withServer(async (server) => {
      const url = server.url()
      const [writer, store] = [postgresStore({ url }), postgresStore({ url })]
      await Promise.all([writer.users.load(ann), store.users.load(ann)])
      const messages: unknown[] = []
      let notify = (): void => {}
      store.bus.subscribe((message) => {
        messages.push(message)
        notify()
      })
      const next = (): Promise<void> =>
        new Promise((resolve) => {
          notify = resolve
        })
      const cut = await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'
        OR query = 'SELECT 1' AND application_name = 'purser'`)
      assert.ok(cut.length >= 1)
      const cutAt = systemEffects.monotonic()
      while (!messages.includes('gap')) await next()
      assert.ok(systemEffects.monotonic() - cutAt < 1_000)
      // A gap follows the new LISTEN, and messages arrive again.
      while (!messages.some((message) => (message as { user?: string }).user === 'ann')) {
        await writer.bus.publish({ topic: 'context', namespace: 'crash', user: 'ann' })
        await delay(50)
      }
      await Promise.all([writer.close(), store.close()])
    }))
})
