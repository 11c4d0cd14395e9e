import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Effects, type MetaStore, PurserError } from 'purser'
import { handClock } from 'purser/testing'
import { ApiKeyStore, type EnvironmentKeys } from '../../src/auth/api-keys.ts'
import { createMemoryMetaStore } from '../support/memory-meta-store.ts'

function openKeys(options: { meta?: MetaStore; effects?: Effects; environment?: EnvironmentKeys } = {}): ApiKeyStore {
  const { meta = createMemoryMetaStore(), effects = handClock(), environment } = options
  return new ApiKeyStore({ meta, effects }, environment)
}

test('the first start creates a service key and an admin key; later starts create none, even when all are revoked', async () => {
  const meta = createMemoryMetaStore()
  const keys = openKeys({ meta })
  const created = await keys.createFirst()
  assert.deepEqual(
    created.map(({ role }) => role),
    ['service', 'admin'],
  )
  for (const { id } of created) assert.ok(await keys.revoke(id))
  assert.deepEqual(await openKeys({ meta }).createFirst(), [])
})

test('a key of the environment is accepted, is not created again and cannot be revoked', async () => {
  const keys = openKeys({ environment: { service: 'environment-service-key' } })
  assert.deepEqual(
    (await keys.createFirst()).map(({ role }) => role),
    ['admin'],
  )
  assert.equal((await keys.authenticate('environment-service-key'))?.role, 'service')
  const [key] = await keys.list()
  await assert.rejects(keys.revoke(key?.id ?? ''), /environment/)
})

test('the same key for both roles of the environment is rejected, and an empty key counts as absent', () => {
  assert.throws(
    () => openKeys({ environment: { service: 'the same', admin: 'the same' } }),
    (error) => PurserError.is(error, 'option_invalid') && /PURSER_SERVICE_KEY/.test(error.hint ?? ''),
  )
  assert.ok(openKeys({ environment: { service: '', admin: '' } }))
})

test('only hashes are stored, and a list contains neither keys nor hashes', async () => {
  const meta = createMemoryMetaStore()
  const keys = openKeys({ meta })
  const { key } = await keys.create({ role: 'admin', createdBy: 'test' })
  assert.match(key, /^purser_admin_[\w-]{43}$/)
  assert.ok(!(await meta.get('server-keys'))?.includes(key.slice(13)))
  assert.ok(!JSON.stringify(await keys.list()).includes('hash'))
})

test('the id of a key never looks like a command-line flag', async () => {
  const keys = openKeys()
  for (let count = 0; count < 100; count++) {
    assert.match((await keys.create({ role: 'viewer', createdBy: 'test' })).id, /^[0-9a-f]{12}$/)
  }
})

test('a key that another process creates or revokes takes effect within a second', async () => {
  const [meta, clock] = [createMemoryMetaStore(), handClock()]
  const [local, remote] = [openKeys({ meta, effects: clock }), openKeys({ meta, effects: clock })]
  assert.equal(await local.authenticate('unknown'), undefined)
  const created = await remote.create({ role: 'viewer', createdBy: 'test' })
  clock.advance(1_000)
  assert.equal((await local.authenticate(created.key))?.role, 'viewer')
  await remote.revoke(created.id)
  assert.equal((await local.authenticate(created.key))?.role, 'viewer')
  clock.advance(1_000)
  assert.equal(await local.authenticate(created.key), undefined)
})

test('two processes that create keys at the same time lose none', async () => {
  const meta = createMemoryMetaStore()
  const processes = [openKeys({ meta }), openKeys({ meta })]
  await Promise.all(processes.map((keys) => keys.create({ role: 'service', createdBy: 'test' })))
  assert.equal((await openKeys({ meta }).list()).length, 2)
})

test('a key requires a valid role, and a user if and only if its role is user', async () => {
  const keys = openKeys()
  for (const request of [
    { role: 'root' },
    { role: 'user' },
    { role: 'admin', user: 'ada' },
    { role: 'admin', name: 'a\nb' },
  ]) {
    await assert.rejects(keys.create({ ...request, createdBy: 'test' }), (error) =>
      PurserError.is(error, 'argument_invalid'),
    )
  }
  const { key } = await keys.create({ role: 'user', user: 'ada', createdBy: 'test' })
  assert.deepEqual((await keys.authenticate(key))?.user, 'ada')
})
