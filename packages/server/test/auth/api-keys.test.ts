import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PurserError } from 'purser'
import { handClock } from 'purser/testing'
import { ApiKeyStore } from '../../src/auth/api-keys.ts'
import { memoryShelf } from '../support/memory-meta.ts'

test('a first start makes one service key and one admin key, and no later start does, even when all are revoked', async () => {
  const shelf = memoryShelf()
  const keys = new ApiKeyStore(shelf, handClock())
  const made = await keys.createFirst()
  assert.deepEqual(
    made.map(({ role }) => role),
    ['service', 'admin'],
  )
  for (const { id } of made) assert.ok(await keys.revoke(id))
  assert.deepEqual(await new ApiKeyStore(shelf, handClock()).createFirst(), [])
})

test('what the environment gives is accepted, and is not made again', async () => {
  const keys = new ApiKeyStore(memoryShelf(), handClock(), { service: 'given-service-key' })
  assert.deepEqual(
    (await keys.createFirst()).map(({ role }) => role),
    ['admin'],
  )
  assert.equal((await keys.find('given-service-key'))?.role, 'service')
  const [given] = await keys.list()
  await assert.rejects(keys.revoke(given?.id ?? ''), /environment/)
})

test('one key for an application and for an admin is refused, and nobody is one without a key', () => {
  const open = (given: { service: string; admin: string }) => new ApiKeyStore(memoryShelf(), handClock(), given)
  assert.throws(
    () => open({ service: 'the same', admin: 'the same' }),
    (error) => PurserError.is(error, 'option_invalid') && /PURSER_SERVICE_KEY/.test(error.hint ?? ''),
  )
  assert.ok(open({ service: '', admin: '' }))
})

test('only hashes are stored, and no list shows a key', async () => {
  const shelf = memoryShelf()
  const keys = new ApiKeyStore(shelf, handClock())
  const { key } = await keys.create({ role: 'admin', createdBy: 'test' })
  assert.match(key, /^purser_admin_[\w-]{43}$/)
  assert.ok(!(await shelf.get('server-keys'))?.includes(key.slice(13)))
  assert.ok(!JSON.stringify(await keys.list()).includes('hash'))
})

test('an id of a key never looks like a flag', async () => {
  const keys = new ApiKeyStore(memoryShelf(), handClock())
  for (let count = 0; count < 100; count++) {
    assert.match((await keys.create({ role: 'viewer', createdBy: 'test' })).id, /^[0-9a-f]{12}$/)
  }
})

test('a key that another process made or revoked is known here within a second', async () => {
  const [shelf, clock] = [memoryShelf(), handClock()]
  const [here, there] = [new ApiKeyStore(shelf, clock), new ApiKeyStore(shelf, clock)]
  assert.equal(await here.find('nothing'), undefined)
  const made = await there.create({ role: 'viewer', createdBy: 'test' })
  clock.advance(1_000)
  assert.equal((await here.find(made.key))?.role, 'viewer')
  await there.revoke(made.id)
  assert.equal((await here.find(made.key))?.role, 'viewer')
  clock.advance(1_000)
  assert.equal(await here.find(made.key), undefined)
})

test('two processes that make keys at once lose none', async () => {
  const shelf = memoryShelf()
  const all = [new ApiKeyStore(shelf, handClock()), new ApiKeyStore(shelf, handClock())]
  await Promise.all(all.map((keys) => keys.create({ role: 'service', createdBy: 'test' })))
  assert.equal((await new ApiKeyStore(shelf, handClock()).list()).length, 2)
})

test('a key needs a role; a user key, and no other, names its user', async () => {
  const keys = new ApiKeyStore(memoryShelf(), handClock())
  for (const order of [
    { role: 'root' },
    { role: 'user' },
    { role: 'admin', user: 'ada' },
    { role: 'admin', name: 'a\nb' },
  ]) {
    await assert.rejects(keys.create({ ...order, createdBy: 'test' }), (error) =>
      PurserError.is(error, 'argument_invalid'),
    )
  }
  const { key } = await keys.create({ role: 'user', user: 'ada', createdBy: 'test' })
  assert.deepEqual((await keys.find(key))?.user, 'ada')
})
