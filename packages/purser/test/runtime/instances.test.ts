import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { BusMessage } from '../../src/storage/store.ts'
import { fails, type House, openHouse } from '../support/runtime-harness.ts'

const DEFAULTS = { provider: 'local', mcpServers: ['plain'] }

interface Instance {
  readonly house: House
  /** Resolves with the next news of users that this instance hears. */
  news(): Promise<unknown>
  close(): Promise<void>
}

async function openInstance(path: string, secret: string): Promise<Instance> {
  const store = await openSqliteStore({ path, effects: systemEffects })
  const house = await openHouse({
    store,
    effects: systemEffects,
    secretKey: { current: secret, previous: [] },
    options: { defaults: DEFAULTS },
  })
  return {
    house,
    news: () =>
      new Promise((resolve) => {
        const stop = store.bus.subscribe((message: BusMessage | 'gap') => {
          if (message !== 'gap' && message.topic !== 'user') return
          stop()
          resolve(message)
        })
      }),
    async close() {
      await house.runtimes.close()
      await house.journal.close()
      await store.close()
    },
  }
}

test('R12 R13: what one instance on a file changes, evicts or erases is so in the other as soon as it hears of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'purser-instances-'))
  const secret = randomBytes(32).toString('base64')
  const [one, other] = await Promise.all([1, 2].map(() => openInstance(join(folder, 'purser.db'), secret)))
  assert.ok(one && other)
  try {
    const [here, there] = [one.house.user('ada'), other.house.user('ada')]
    await here.configure({ region: 'eu' })
    const before = await there.acquire()
    assert.deepEqual([before.settings.model, before.settings.version], ['m', 1])

    let heard = other.news()
    await here.configure({ model: 'n' })
    await heard
    const after = await there.acquire()
    assert.deepEqual([after.settings.model, after.settings.version], ['n', 2])
    assert.equal(before.settings.model, 'm')

    heard = one.news()
    await there.configure({ region: 'us' }, { expectedVersion: 2 })
    await heard
    await assert.rejects(here.configure({ region: 'in' }, { expectedVersion: 2 }), fails('version_conflict'))
    assert.equal((await here.settings()).region, 'us')

    heard = other.news()
    await one.house.erase('ada')
    await heard
    await assert.rejects(after.mcp('plain'), fails('user_erased'))
    const next = await there.acquire()
    assert.deepEqual([next.incarnation, next.settings.version, next.settings.model], [2, 0, 'm'])
    for (const lease of [before, after, next]) lease.release()
  } finally {
    await Promise.all([one.close(), other.close()])
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a write whose outcome is unknown is read again: what is shown and what is run on are what the store holds', async () => {
  const house = await openHouse({ options: { defaults: DEFAULTS } })
  const user = house.user('ada')
  ;(await user.acquire()).release()
  const { commit } = house.store.users
  house.store.users.commit = async (subject, change) => {
    await commit(subject, change)
    throw new PurserError('store_unavailable', 'The answer was lost.')
  }
  await assert.rejects(user.configure({ model: 'n' }), fails('store_unavailable'))
  house.store.users.commit = commit
  const lease = await user.acquire()
  assert.deepEqual([lease.settings.model, (await user.settings()).model], ['n', 'n'])
  assert.equal((await user.configure({ model: 'm' })).version, 2)
  lease.release()
})

test('a read that began before a change is not kept after it', async () => {
  const house = await openHouse({ options: { defaults: DEFAULTS } })
  const user = house.user('ada')
  await user.configure({ region: 'eu' })
  await user.startSession('s', { policy: 'follow' })
  const { record } = house.store.users
  const held = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  house.store.users.record = async (subject, kind, name) => {
    const value = await record(subject, kind, name)
    reached.resolve()
    await held.promise
    return value
  }
  const early = user.acquire()
  await reached.promise
  house.store.users.record = record
  await user.configure({ region: 'us' })
  held.resolve()
  assert.equal((await early).settings.region, 'us')

  house.store.users.record = async (subject, kind, name) => {
    const value = await record(subject, kind, name)
    if (kind !== 'session') return value
    house.store.users.record = record
    await user.startSession('s', { policy: 'pin' })
    return value
  }
  assert.equal((await user.acquire({ session: 's' })).settings.origin.region, 'user')
  assert.equal((await user.acquire({ session: 's' })).settings.origin.region, 'session', 'it is pinned by now')
})
