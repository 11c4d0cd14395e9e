import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import type { PurserOptions } from '../../src/options.ts'
import type { Purser } from '../../src/purser/api.ts'
import { openPurser } from '../../src/purser/open-purser.ts'
import { inspectStore, listRuntimes } from '../../src/purser/server-internals.ts'
import { openKeyring } from '../../src/storage/root-key.ts'
import type { Store } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { noPostgres, openPostgres } from '../support/postgres-server.ts'
import { noRedis, openRedis, untilTrue } from '../support/redis-server.ts'
import { temporaryPath } from '../support/temporary-store.ts'

const OPTIONS: PurserOptions = {
  secretKey: Buffer.alloc(32, 7).toString('base64'),
  providers: { local: { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9/v1', apiKey: 'x', models: ['m'] } },
  runtime: { defaults: { provider: 'local', model: 'm' } },
}

const drivers: Readonly<Record<string, (clock: HandClock) => Promise<Store>>> = {
  memory: (effects) => openMemoryStore({ effects }),
  sqlite: (effects) => openSqliteStore({ path: temporaryPath(), effects }),
  ...(noPostgres ? {} : { postgres: () => openPostgres() }),
  ...(noRedis ? {} : { redis: () => openRedis() }),
}

interface Opened extends AsyncDisposable {
  readonly store: Store
  readonly clock: HandClock
  /** Another instance on the same store, which stays open when the instance is closed. */
  open(options?: PurserOptions): Promise<Purser>
}

async function openStore(openDriver: (clock: HandClock) => Promise<Store>): Promise<Opened> {
  const clock = handClock()
  const store = await openDriver(clock)
  const opened: Purser[] = []
  return {
    store,
    clock,
    async open(options) {
      const purser = await openPurser({
        ...OPTIONS,
        effects: clock,
        store: { ...store, close: async () => undefined },
        ...options,
      })
      opened.push(purser)
      return purser
    },
    async [Symbol.asyncDispose]() {
      for (const purser of opened) await closeNow(purser, clock)
      await store.close()
    },
  }
}

async function closeNow(purser: Purser, clock: HandClock): Promise<void> {
  let isClosed = false
  const closed = purser.close({ timeoutMs: 0 }).finally(() => {
    isClosed = true
  })
  while (!isClosed) await clock.pass(1_000)
  await closed
}

for (const [driver, openDriver] of Object.entries(drivers)) {
  test(`every instance lists all of them, and the live runtimes of all (${driver})`, async () => {
    await using stores = await openStore(openDriver)
    const first = await stores.open()
    const second = await stores.open()
    const lease = await second.user('ann').runtime.acquire()
    const other = await stores.open({ namespace: 'other' })
    await other.user('bob').runtime.acquire()
    // What the others run is known with their next heartbeat.
    await stores.clock.pass(5_000)
    const countUsed = async (): Promise<number> =>
      (await first.instances()).filter(({ runtimes }) => runtimes === 1).length
    await untilTrue(async () => (await countUsed()) === 2, 'No heartbeat was written.')

    const listed = await first.instances()
    assert.equal(listed.length, 3)
    assert.equal(new Set(listed.map(({ id }) => id)).size, 3)
    assert.deepEqual(listed.map(({ runtimes }) => runtimes).toSorted(), [0, 1, 1])
    for (const { version, startedAt, seenAt, answers } of listed) {
      assert.match(version, /^\d+\.\d+\.\d+/)
      assert.ok(Date.parse(startedAt) <= Date.parse(seenAt) + 1_000)
      assert.equal(answers.hits, 0)
    }
    assert.deepEqual(
      (await second.instances()).map(({ id }) => id),
      listed.map(({ id }) => id),
    )

    const runtimes = await listRuntimes(first)
    assert.deepEqual(
      runtimes.map(({ user, inUse }) => ({ user, inUse })),
      [{ user: 'ann', inUse: 1 }],
    )
    assert.ok(listed.some(({ id }) => id === runtimes[0]?.instance))
    assert.deepEqual(first.runtime.active(), [])
    await lease.release()
  })

  test(`an instance disappears when it is closed, and its user ids are unreadable in the store (${driver})`, async () => {
    await using stores = await openStore(openDriver)
    const first = await stores.open()
    const second = await stores.open()
    await second.user('user-with-a-name').runtime.acquire()
    await stores.clock.pass(5_000)
    await untilTrue(async () => (await listRuntimes(first)).length === 1, 'No heartbeat was written.')
    const rows = await stores.store.instances.list({ maxAgeMs: 3_600_000, limit: 10 })
    assert.equal(rows.length, 2)
    for (const { value } of rows) assert.doesNotMatch(value, /user-with-a-name/)
    await closeNow(second, stores.clock)
    await untilTrue(async () => (await first.instances()).length === 1, 'A closed instance is still listed.')
  })
}

test('an instance that ended without closing disappears after 15 seconds, and is shown again if it was only slow', async () => {
  await using stores = await openStore((effects) => openMemoryStore({ effects }))
  const first = await stores.open()
  const frozen = handClock()
  await stores.open({ effects: frozen })
  await stores.clock.pass(15_000)
  assert.equal((await first.instances()).length, 2)
  await stores.clock.pass(5_000)
  assert.equal((await first.instances()).length, 1)
  await frozen.pass(5_000)
  assert.equal((await first.instances()).length, 2)
})

test('a store that fails for a while ends no heartbeats, and listing says so', async () => {
  await using stores = await openStore((effects) => openMemoryStore({ effects }))
  let isDown = false
  const instances: Store['instances'] = {
    ...stores.store.instances,
    async publish(row, deadAfterMs) {
      if (isDown) throw new Error('down')
      await stores.store.instances.publish(row, deadAfterMs)
    },
  }
  const first = await stores.open()
  await stores.open({ store: { ...stores.store, instances, close: async () => undefined } })
  isDown = true
  await stores.clock.pass(30_000)
  assert.equal((await first.instances()).length, 1)
  isDown = false
  await stores.clock.pass(5_000)
  assert.equal((await first.instances()).length, 2)
})

test('a row that is none of this store is left out', async () => {
  await using stores = await openStore((effects) => openMemoryStore({ effects }))
  const first = await stores.open()
  await stores.store.instances.publish({ id: 'torn', value: 'x' }, 15_000)
  assert.equal((await first.instances()).length, 1)
  assert.deepEqual(await listRuntimes(first), [])
})

test('an instance of another version is found', async () => {
  const store = await openMemoryStore({ effects: handClock() })
  const clock = handClock()
  const purser = await openPurser({ ...OPTIONS, effects: clock, store })
  assert.deepEqual(await inspectStore(purser), [])
  const keys = await openKeyring(store.meta, { current: OPTIONS.secretKey as string, previous: [] })
  const report = { namespace: 'default', version: '99.0.0', startedAt: '', runtimes: 0, answers: {}, active: [] }
  await store.instances.publish(
    { id: 'other', value: keys.seal(JSON.stringify(report), ['instance', 'other']) },
    10_000,
  )
  const [versions, ...others] = await inspectStore(purser)
  assert.equal(versions?.ok, false)
  assert.match(versions?.detail ?? '', /1 others run 99\.0\.0/)
  assert.match(versions?.hint ?? '', /npm install --global @purser\/server@/)
  assert.deepEqual(
    others.map(({ ok }) => ok),
    [true, true],
  )
  await closeNow(purser, clock)
})
