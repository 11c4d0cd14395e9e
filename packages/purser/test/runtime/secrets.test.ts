import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { hideFromInspect, redactError } from '../../src/core/redact.ts'
import { rounds } from '../support/fuzz-options.ts'
import { fails, openHouse } from '../support/runtime-harness.ts'

const newKey = (): string => randomBytes(32).toString('base64')

test("a user's own secret is used for their provider alone, else the operator's, else secret_missing", async () => {
  const house = await openHouse({ options: { defaults: { provider: 'other' } } })
  await house.user('ada').setSecret('other', { apiKey: 'key-of-ada' })
  await house.user('ada').acquire()
  assert.equal(house.models[0]?.order.credentials?.apiKey, 'key-of-ada')
  await assert.rejects(house.user('bob').acquire(), fails('secret_missing'))
  await house.user('bob').acquire({ override: { provider: 'local' } })
  assert.equal(house.models[1]?.order.credentials, null, "the operator's key stays in the operator's configuration")
  assert.equal(house.models[1]?.order.operatorKeyAllowed, true)
})

test("the operator's key is not for a base URL that a user brought, and for one of the operator's it is", async () => {
  const presets = { near: { provider: 'local', baseURL: 'https://near.example/v1' } }
  const house = await openHouse({ presets, options: { defaults: { provider: 'local' } } })
  const user = house.user('ada')
  const allowed = async (override: object): Promise<boolean | undefined> => {
    await user.acquire({ override })
    return house.models.at(-1)?.order.operatorKeyAllowed
  }
  assert.equal(await allowed({ preset: 'near' }), true)
  assert.equal(await allowed({ baseURL: 'https://evil.example/' }), false)
  await user.configure({ baseURL: 'https://evil.example/' })
  await user.startSession('s', { policy: 'pin' })
  await user.acquire({ session: 's' })
  assert.equal(house.models.at(-1)?.order.operatorKeyAllowed, false)
  assert.equal(await allowed({ provider: 'open', model: 'z' }), true, 'another provider starts from its own address')
  assert.equal(house.models.at(-1)?.order.settings.baseURL, null)
})

test('RC-D13 R16: secrets are listed by name and field, and cannot be read back', async () => {
  const house = await openHouse()
  const user = house.user('ada')
  await user.setSecret('local', { apiKey: 'canary-1', organization: 'canary-2' })
  await user.setSecret('own', { token: 'canary-3' })
  const secrets = await user.secrets()
  assert.deepEqual(secrets, [
    { name: 'local', fields: ['apiKey', 'organization'], updatedAt: '2026-01-01T12:00:00.000Z' },
    { name: 'own', fields: ['token'], updatedAt: '2026-01-01T12:00:00.000Z' },
  ])
  await user.setSecret('local', null)
  assert.deepEqual(
    (await user.secrets()).map(({ name }) => name),
    ['own'],
  )
  const events = (await house.store.events.newest(house.subject('ada'), { limit: 9 })).map(
    ({ body }) => JSON.parse(body).data,
  )
  assert.deepEqual(events.at(-1), { action: 'secret_set', name: 'local', fields: ['apiKey', 'organization'] })
  assert.deepEqual(events[0], { action: 'secret_removed', name: 'local' })
})

test('a secret that is not a small object of named texts, or is for nothing configured, is refused', async () => {
  const user = (await openHouse()).user('ada')
  for (const fields of [{}, [], 'key', { apiKey: '' }, { apiKey: 7 }, { 'a b': 'x' }, { apiKey: 'x'.repeat(20_000) }]) {
    await assert.rejects(user.setSecret('local', fields as never), fails('secret_invalid'))
  }
  await assert.rejects(user.setSecret('local', JSON.parse('{"__proto__": "x"}')), fails('secret_invalid'))
  await assert.rejects(user.setSecret('lokal', { apiKey: 'x' }), fails('provider_unknown'))
})

test('R15: a sealed record that was moved to another user, name or life does not open', async () => {
  const house = await openHouse()
  await house.user('ada').setSecret('other', { apiKey: 'key-of-ada' })
  await house.user('bob').configure({ provider: 'other' })
  const record = await house.store.users.record(house.subject('ada'), 'secret', 'other')
  assert.ok(record)
  const move = (id: string, name: string, value: string): Promise<void> =>
    house.journal.write(house.subject(id), {
      decide: () => ({ records: [{ kind: 'secret', name, value }], result: () => undefined }),
    })
  await move('bob', 'other', record)
  await assert.rejects(house.user('bob').acquire(), fails('secret_missing'))
  await move('ada', 'local', record)
  await assert.rejects(house.user('ada').acquire({ override: { provider: 'local' } }), fails('secret_missing'))
  await house.erase('ada')
  await house.user('ada').configure({ provider: 'other' })
  await move('ada', 'other', record)
  await assert.rejects(house.user('ada').acquire(), fails('secret_missing'), 'of an earlier life')
  await move('ada', 'other', record.replace('"incarnation":1', '"incarnation":2'))
  await assert.rejects(house.user('ada').acquire(), fails('secret_missing'), 'even when the record says otherwise')
})

test('R15 R12: the secret key changes without downtime, both ways of a restart, and a wrong one is told', async () => {
  const [first, second] = [newKey(), newKey()]
  const house = await openHouse({ secretKey: { current: first, previous: [] } })
  await house.user('ada').setSecret('other', { apiKey: 'key-of-ada' })
  await house.user('ada').configure({ provider: 'other' })
  const rotated = await house.sibling({ secretKey: { current: second, previous: [first] } })
  for (const one of [rotated, house]) {
    const lease = await one.user('ada').acquire()
    assert.equal(one.models.at(-1)?.order.credentials?.apiKey, 'key-of-ada')
    lease.release()
  }
  await house.user('ada').setSecret('other', { apiKey: 'newer-key' })
  const afterwards = await house.sibling({ secretKey: { current: second, previous: [] } })
  await afterwards.user('ada').acquire()
  assert.equal(afterwards.models.at(-1)?.order.credentials?.apiKey, 'newer-key')
  await assert.rejects(house.sibling({ secretKey: { current: first, previous: [] } }), fails('secret_key_wrong'))
})

test('R16: credentials that are printed or turned into JSON show nothing, and are still there to be used', () => {
  const credentials = hideFromInspect({ apiKey: 'canary' })
  const shown = [
    inspect(credentials),
    inspect({ deep: { credentials } }, { depth: 9, showHidden: true }),
    JSON.stringify(credentials),
  ]
  for (const text of shown) assert.ok(!text.includes('canary'), text)
  assert.equal(credentials.apiKey, 'canary')
  assert.deepEqual({ ...credentials }, { apiKey: 'canary' })
})

test('R16: a cause is told again without the secret in any spelling, and without the original', () => {
  const secret = 'ca/nary "7"'
  const original = Object.assign(
    new Error(`fetch http://x/?k=${encodeURIComponent(secret)} failed`, { cause: new Error(secret) }),
    {
      request: { headers: { authorization: secret } },
      code: 'ECONNREFUSED',
    },
  )
  const told = redactError(original, [secret])
  for (const text of [inspect(told, { depth: 9, showHidden: true }), JSON.stringify({ told: String(told.stack) })]) {
    assert.ok(!text.includes('nary'), text)
  }
  assert.equal((told as { code?: string }).code, 'ECONNREFUSED')
  const basic = redactError(new Error(`Basic ${Buffer.from('canary-token').toString('base64')}`), ['canary-token'])
  assert.equal(basic.message, 'Basic [redacted]')
})

test('R16: 1,000 canary secrets are in no row, event, error, cause, look or message of the bus', async (t) => {
  const house = await openHouse({ options: { defaults: { provider: 'local' } } })
  const seen: string[] = []
  const see = (value: unknown): void =>
    void seen.push(inspect(value, { depth: 12, showHidden: true }), JSON.stringify(value) ?? '')
  house.store.bus.subscribe(see)
  house.behaviour.openTools = async (order) => {
    const { headers } = order.definition as { headers?: Record<string, string> }
    throw Object.assign(new Error(`connect failed with ${headers?.authorization}`), { headers })
  }
  const users = rounds(500, 100)
  for (let index = 0; index < users; index++) {
    const user = house.user(`user-${index}`)
    const [apiKey, token] = [`canary-key-${index}-x`, `canary-token-${index}-x`]
    await user.setSecret('other', { apiKey })
    await user.setSecret('own', { token })
    const lease = await user.acquire({ override: { provider: 'other' } })
    await lease.mcp('own').then(() => assert.fail('It connected.'), see)
    await user.configure({ provider: apiKey } as never).catch(() => undefined)
    see([await user.secrets(), await user.settings(), user, lease, lease.settings])
    const where = house.subject(`user-${index}`)
    see([
      await house.store.users.load(where),
      await house.store.events.newest(where, { limit: 100 }),
      await house.store.users.records(where, 'secret', { limit: 100, order: 'ascending' }),
    ])
    lease.release()
  }
  see([house.runtimes, house.runtimes.active()])
  assert.equal(house.models.length, users)
  assert.deepEqual(
    seen.filter((text) => /canary-(key|token)-\d+-x/.test(text)),
    [],
  )
  t.diagnostic(`${users * 2} canaries, ${seen.length} texts`)
})
