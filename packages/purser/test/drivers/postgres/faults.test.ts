import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { describe, test } from 'node:test'
import pg from 'pg'
import { systemEffects } from '../../../src/core/effects.ts'
import { postgresStore } from '../../../src/drivers/postgres/index.ts'
import { PurserError } from '../../../src/errors.ts'
import type { Store } from '../../../src/storage/store.ts'
import { createCommit, createQuery, mustCommit } from '../../../src/testing/store-contract/samples.ts'
import { startCuttingProxy } from '../../support/cutting-proxy.ts'
import { endProcess } from '../../support/end-process.ts'
import { measureLag } from '../../support/event-loop-lag.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import {
  noPostgres,
  noSmallDisk,
  type PostgresServer,
  startPostgres,
  startStandby,
} from '../../support/postgres-server.ts'
import { startChild } from '../../support/start-child.ts'
import { assertNothingLost, delay, startWriteLoad, untilWritten } from '../write-load.ts'

const ann = { namespace: 'crash', id: 'ann' }

/** Calls until one succeeds, as a deadline that the test needs to be short may be missed by a busy machine. */
async function untilAvailable<Result>(call: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!PurserError.is(error, 'store_unavailable')) throw error
      await delay(20)
    }
  }
}

/** A store with a deadline to miss, once it is connected, and one with time for what has to succeed. */
async function openHurried(url: string, timeoutMs: number): Promise<HurriedStores> {
  const [store, other] = [postgresStore({ url, timeoutMs }), postgresStore({ url, timeoutMs: 60_000 })]
  const expect = await mustCommit(other, ann)
  await untilAvailable(() => store.users.load(ann))
  return { store, other, expect, close: async () => void (await Promise.all([store.close(), other.close()])) }
}

interface HurriedStores {
  readonly store: Store
  readonly other: Store
  /** The revision of the first user. */
  readonly expect: number
  close(): Promise<void>
}

describe('faults of PostgreSQL', { skip: noPostgres }, () => {
  const withServer = async (run: (server: PostgresServer) => Promise<void>): Promise<void> => {
    // What a killed process has written stays: a disk with other work would only make the deadlines uncertain.
    await using server = await startPostgres({ settings: ['fsync=off'] })
    await run(server)
  }

  test('kill -9 of the server under load loses no acknowledged commit', () =>
    withServer(async (server) => {
      const store = postgresStore({ url: server.url(), timeoutMs: 2_000 })
      const load = startWriteLoad(store)
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
      const load = startWriteLoad(store)
      await untilWritten(load, 20)
      const admin = new pg.Client({ connectionString: server.url().split('?')[0] })
      await admin.connect()
      // When the test fails, its server ends first.
      admin.on('error', () => undefined)
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
      const { store, expect, close } = await openHurried(server.url(), 300)
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
      assert.ok(await untilAvailable(() => store.users.load(ann)))
      await close()
    }))

  test('a server that has not answered is asked once a second, by statements of every kind, and again when it answers', () =>
    withServer(async (server) => {
      const { store, expect, close } = await openHurried(server.url(), 300)
      const calls = [
        () => store.users.load(ann),
        () => mustCommit(store, ann, { expect }),
        () => store.meta.get('x'),
        () => store.events.newest(ann, { limit: 1 }),
        () => store.users.list(createQuery()),
        () => store.answers.forget({ namespace: 'crash', owner: 'o' }),
        () => store.lastGood.drop(ann),
      ]
      await server.freeze(async () => {
        await Promise.allSettled([...calls, ...calls].map((call) => call()))
        let rejected = 0
        // One of them may be the one that asks.
        for (const call of calls) {
          const error = await call().then(undefined, (reason: unknown) => reason)
          assert.ok(PurserError.is(error, 'store_unavailable'))
          if (error.message.includes('at the moment')) rejected++
        }
        assert.ok(rejected >= calls.length - 4, `${rejected} of ${calls.length}`)
      })
      assert.ok(await untilAvailable(() => store.users.load(ann)))
      for (const call of calls.slice(2)) await untilAvailable<unknown>(call)
      await close()
    }))

  test('a lock of another client costs a call its deadline, and nothing of it is written later', () =>
    withServer(async (server) => {
      const url = server.url()
      const { store, other, expect, close } = await openHurried(url, 300)
      const admin = new pg.Client({ connectionString: url.split('?')[0] })
      await admin.connect()
      admin.on('error', () => undefined)
      const schema = new URL(url).searchParams.get('schema')
      await admin.query('BEGIN')
      await admin.query(`LOCK TABLE ${schema}.users IN ACCESS EXCLUSIVE MODE`)
      await assert.rejects(mustCommit(store, ann, { expect }), { code: 'store_unavailable' })
      await admin.query('ROLLBACK')
      assert.equal(await mustCommit(other, ann, { expect }), 2)
      assert.equal((await untilAvailable(() => store.users.load(ann)))?.revision, 2)
      await admin.end()
      await close()
    }))

  test('a write under the lock is there when it is acknowledged, also if it waited for longer than a lock is held', () =>
    withServer(async (server) => {
      const url = server.url()
      const store = postgresStore({ url, timeoutMs: 60_000 })
      const expect = await mustCommit(store, ann)
      const admin = new pg.Client({ connectionString: url.split('?')[0] })
      await admin.connect()
      admin.on('error', () => undefined)
      const schema = new URL(url).searchParams.get('schema')
      await admin.query(`BEGIN; SELECT 1 FROM ${schema}.users WHERE id = 'ann' FOR UPDATE`)
      const lock = await store.users.lockWrites?.([ann])
      const written = lock?.commit(ann, createCommit(ann, { expect }))
      await delay(2 * 250)
      await admin.query('ROLLBACK')
      assert.deepEqual(await written, { ok: true, revision: 2 })
      assert.equal((await store.users.load(ann))?.revision, 2)
      await admin.end()
      await store.close()
    }))

  test('a client that idles in a transaction delays the commits of its user only', () =>
    withServer(async (server) => {
      const url = server.url()
      const { store, other, expect, close } = await openHurried(url, 3_000)
      const admin = new pg.Client({ connectionString: url.split('?')[0] })
      await admin.connect()
      admin.on('error', () => undefined)
      const schema = new URL(url).searchParams.get('schema')
      await admin.query(`BEGIN; UPDATE ${schema}.users SET revision = revision WHERE id = 'ann'`)
      const [ofAnn, ...ofOthers] = await Promise.allSettled([
        mustCommit(store, ann, { expect }),
        ...Array.from({ length: 20 }, async (_, index) => {
          await delay(100)
          return mustCommit(store, { ...ann, id: `other ${index}` })
        }),
      ])
      assert.ok(ofAnn.status === 'rejected' && PurserError.is(ofAnn.reason, 'store_unavailable'))
      for (const outcome of ofOthers) if (outcome.status === 'rejected') throw outcome.reason
      await admin.query('ROLLBACK')
      assert.equal(await mustCommit(other, ann, { expect }), 2)
      assert.equal((await untilAvailable(() => store.users.load(ann)))?.revision, 2)
      await admin.end()
      await close()
    }))

  test('a process that stops while it holds the write lock delays others for a second', () =>
    withServer(async (server) => {
      const url = server.url()
      const store = postgresStore({ url })
      const expect = await mustCommit(store, ann)
      const holder = startChild(new URL('../children/lock-holder.ts', import.meta.url), [url])
      assert.equal(await holder.line(), 'locked')
      holder.process.kill('SIGSTOP')
      assert.equal(await mustCommit(store, ann, { expect }), 2)
      await endProcess(holder.process)
      await store.close()
    }))

  test('a full disk is store_unavailable with a hint, loses nothing, and writes go on once there is space', {
    skip: noSmallDisk,
  }, async () => {
    await using server = await startPostgres({ diskMiB: 64 })
    const store = postgresStore({ url: server.url() })
    const load = startWriteLoad(store, randomBytes(100_000).toString('base64'))
    while (load.failures.length < 5) await delay(20)
    const hints = load.failures.map((error) => (error as PurserError).hint)
    assert.ok(
      hints.some((hint) => hint?.includes('no disk space')),
      String(hints),
    )
    assert.ok((await store.users.load({ ...ann, id: 'user 0' }))?.revision, 'reads go on')
    rmSync(`/proc/${server.pid}/root${server.data}/ballast`)
    await untilWritten(load, 20)
    await load.stop()
    await assertNothingLost(store, load)
    await store.close()
  })

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
      const lag = measureLag()
      while (!messages.includes('gap')) await next()
      const noticedMs = systemEffects.monotonic() - cutAt
      assert.ok(noticedMs < 1_000 + 4 * (await lag.worst()), `${noticedMs} ms`)
      // A gap follows the new LISTEN, and messages arrive again.
      while (!messages.some((message) => (message as { user?: string }).user === 'ann')) {
        await writer.bus.publish({ topic: 'context', namespace: 'crash', user: 'ann' })
        await delay(50)
      }
      await Promise.all([writer.close(), store.close()])
    }))

  test('a standby that is promoted has all that was acknowledged, and instances find it behind the same address', async () => {
    await using primary = await startPostgres({ settings: ['synchronous_standby_names=*'] })
    await using standby = await startStandby(primary)
    await using proxy = await startCuttingProxy(primary.port)
    const url = new URL(primary.url())
    url.port = String(proxy.port)
    const store = postgresStore({ url: url.href, timeoutMs: 2_000 })
    const load = startWriteLoad(store)
    await untilWritten(load, 200)
    primary.kill('SIGKILL')
    // Calls fail until there is a new primary.
    while (load.failures.length === 0) await delay(10)
    // A standby that is not promoted refuses writes.
    proxy.redirect(standby.port)
    const ofStandby = new URL(primary.url())
    ofStandby.port = String(standby.port)
    ofStandby.searchParams.set('schema', url.searchParams.get('schema') ?? '')
    const reading = postgresStore({ url: ofStandby.href })
    assert.equal((await reading.users.overview('crash')).users > 0, true, 'a standby is read')
    await assert.rejects(mustCommit(reading, ann), { code: 'store_unavailable', hint: /standby/ })
    await reading.close()
    await standby.promote()
    await untilWritten(load, 200)
    await load.stop()
    await assertNothingLost(store, load)
    await store.close()
  })
})
