import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Effects, type MetaStore, PurserError } from 'purser'
import { handClock } from 'purser/testing'
import { ApiKeyStore } from '../../src/auth/api-keys.ts'
import {
  type EnvironmentKeys,
  findShortKeys,
  requireStrongKeys,
  validateEnvironmentKeys,
} from '../../src/auth/environment-keys.ts'
import { createMemoryMetaStore } from '../support/memory-meta-store.ts'

const SERVICE_KEY = 'environment-service-key-0123456789'

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
  const keys = openKeys({ environment: { service: SERVICE_KEY } })
  assert.deepEqual(
    (await keys.createFirst()).map(({ role }) => role),
    ['admin'],
  )
  assert.equal((await keys.authenticate(SERVICE_KEY))?.role, 'service')
  const [key] = await keys.list()
  await assert.rejects(keys.revoke(key?.id ?? ''), /environment/)
})

test('the same key for both roles of the environment is rejected, and an empty key counts as absent', () => {
  const same = 'the-same-key-0123456789abcdefghij'
  assert.throws(
    () => openKeys({ environment: { service: same, admin: same } }),
    (error) => PurserError.is(error, 'option_invalid') && /PURSER_SERVICE_KEY/.test(error.hint ?? ''),
  )
  assert.ok(openKeys({ environment: { service: '', admin: '' } }))
})

test('a key of the environment that can be guessed, or that no header can carry, is rejected', () => {
  const strong = 'abcdefghijklmnopqrstuvwxyz0123456789'
  const bad = ['a', 'admin', ' x ', 'é', `é${strong}`, `${strong} `, `${strong}\n`, `a b ${strong}`, 'x'.repeat(31)]
  bad.push('ab'.repeat(32), 'x'.repeat(100_000), strong.repeat(40))
  for (const role of ['service', 'admin'] as const) {
    for (const key of bad) {
      assert.throws(
        () => validateEnvironmentKeys({ [role]: key }),
        (error) => PurserError.is(error, 'option_invalid') && !error.message.includes(strong.slice(0, 12)),
        JSON.stringify(key).slice(0, 20),
      )
    }
    validateEnvironmentKeys({ [role]: strong })
  }
})

test('a host may pass a short key, but none that no header can carry', () => {
  assert.ok(openKeys({ environment: { service: 'service', admin: 'admin' } }))
  for (const key of [' x ', 'é', 'a\n', 'x'.repeat(1_025)])
    assert.throws(() => openKeys({ environment: { admin: key } }), { code: 'option_invalid' })
})

test('a key that others can reach has at least 32 characters', () => {
  const short = 'abcdefghijklmnopqrstuvwxyz01234'
  assert.deepEqual(findShortKeys({ service: short, admin: `${short}5` }), ['PURSER_SERVICE_KEY'])
  assert.throws(() => requireStrongKeys({ admin: short }, '0.0.0.0'), /PURSER_ADMIN_KEY is shorter than 32/)
  requireStrongKeys({ admin: `${short}5` }, '0.0.0.0')
})

test('two keys never have one name, whatever its case or encoding, and none has the name of another actor', async () => {
  const keys = openKeys({ environment: { admin: 'abcdefghijklmnopqrstuvwxyz0123456789' } })
  const { id } = await keys.create({ role: 'admin', name: 'Zoë', createdBy: 'test' })
  const taken = ['Zoë', 'zoë', 'ZOË', 'Zoe\u0308', ' Zoë ', 'console', 'Console', 'purser']
  for (const name of [...taken, 'anonymous', 'admin key of the environment']) {
    await assert.rejects(
      keys.create({ role: 'operator', name, createdBy: 'test' }),
      (error) => PurserError.is(error, 'argument_invalid') && error.details?.param === 'name',
      name,
    )
  }
  await keys.revoke(id)
  assert.ok(await keys.create({ role: 'viewer', name: 'zoë', createdBy: 'test' }))
})

test('60 keys created at the same time are all created, also while others are revoked', async () => {
  const keys = openKeys()
  const old = await Promise.all(Array.from({ length: 20 }, () => keys.create({ role: 'viewer', createdBy: 'test' })))
  const changes = await Promise.all([
    ...Array.from({ length: 60 }, (_, index) => keys.create({ role: 'viewer', name: `v${index}`, createdBy: 'test' })),
    ...old.map(({ id }) => keys.revoke(id)),
  ])
  assert.ok(changes.every((change) => change !== undefined))
  assert.deepEqual((await keys.list()).length, 60)
})

test('a change that is refused does not fail the changes that are written with it', async () => {
  const keys = openKeys()
  const results = await Promise.allSettled(
    ['a', 'b', 'a', 'c', 'b'].map((name) => keys.create({ role: 'viewer', name, createdBy: 'test' })),
  )
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
  )
  assert.equal((await keys.list()).length, 3)
})

test('changes fail together when the store fails, and the next ones work', async () => {
  const meta = createMemoryMetaStore()
  let isDown = true
  const flaky: MetaStore = {
    ...meta,
    compareAndSet: async (...args) => {
      if (isDown) throw new PurserError('store_unavailable', 'down')
      return meta.compareAndSet(...args)
    },
  }
  const keys = openKeys({ meta: flaky })
  const create = (): Promise<unknown> => keys.create({ role: 'viewer', createdBy: 'test' })
  const failed = await Promise.allSettled([create(), create()])
  assert.ok(failed.every((result) => result.status === 'rejected'))
  isDown = false
  await create()
  assert.equal((await keys.list()).length, 1)
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

test('keys that were read stay valid for a while where turns go on without the store, but not after an erasure', async () => {
  const stored = createMemoryMetaStore()
  let isDown = false
  const meta: MetaStore = {
    ...stored,
    async get(name) {
      if (isDown) throw new PurserError('store_unavailable', 'down')
      return stored.get(name)
    },
  }
  const clock = handClock()
  const keys = new ApiKeyStore({ meta, effects: clock, staleOnFailureMs: 10_000 })
  const refusing = new ApiKeyStore({ meta, effects: clock })
  const { key } = await keys.create({ role: 'service', createdBy: 'test' })
  assert.ok(await refusing.authenticate(key))
  isDown = true
  clock.advance(5_000)
  assert.equal((await keys.authenticate(key))?.role, 'service')
  await assert.rejects(async () => refusing.authenticate(key), { code: 'store_unavailable' })
  clock.advance(6_000)
  await assert.rejects(async () => keys.authenticate(key), { code: 'store_unavailable' })
  isDown = false
  assert.ok(await keys.authenticate(key))
  keys.expire()
  isDown = true
  await assert.rejects(async () => keys.authenticate(key), { code: 'store_unavailable' })
})
