import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { hideFromInspect, redactError } from '../../src/core/redact.ts'
import { rounds } from '../support/fuzz-options.ts'
import { fails, openRuntimeHarness } from '../support/runtime-harness.ts'

const newKey = (): string => randomBytes(32).toString('base64')

test("a user's own secret is used only for its provider; without one the operator's is used, or secret_missing is thrown", async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'other' } } })
  await harness.user('ada').setSecret('other', { apiKey: 'key-of-ada' })
  await harness.user('ada').acquire()
  assert.equal(harness.models[0]?.request.credentials?.apiKey, 'key-of-ada')
  await assert.rejects(harness.user('bob').acquire(), fails('secret_missing'))
  await harness.user('bob').acquire({ override: { provider: 'local' } })
  assert.equal(harness.models[1]?.request.credentials, null, "the operator's key stays in the operator's configuration")
  assert.equal(harness.models[1]?.request.operatorKeyAllowed, true)
})

test("the operator's key is allowed for a base URL of the operator, and not for one that the user set", async () => {
  const presets = { near: { provider: 'local', baseURL: 'https://near.example/v1' } }
  await using harness = await openRuntimeHarness({ presets, runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  const allowed = async (override: object): Promise<boolean | undefined> => {
    await user.acquire({ override })
    return harness.models.at(-1)?.request.operatorKeyAllowed
  }
  assert.equal(await allowed({ preset: 'near' }), true)
  assert.equal(await allowed({ baseURL: 'https://evil.example/' }), false)
  await user.configure({ baseURL: 'https://evil.example/' })
  await user.startSession('s', { policy: 'pin' })
  await user.acquire({ session: 's' })
  assert.equal(harness.models.at(-1)?.request.operatorKeyAllowed, false)
  assert.equal(await allowed({ provider: 'open', model: 'z' }), true, 'another provider has its own base URL')
  assert.equal(harness.models.at(-1)?.request.settings.baseURL, null)
})

test('secrets are listed by name and field and cannot be read back (RC-D13)', async () => {
  await using harness = await openRuntimeHarness()
  const user = harness.user('ada')
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
  const events = (await harness.store.events.newest(harness.subject('ada'), { limit: 9 })).map(
    ({ body }) => JSON.parse(body).data,
  )
  assert.deepEqual(events.at(-1), { action: 'secret_set', name: 'local', fields: ['apiKey', 'organization'] })
  assert.deepEqual(events[0], { action: 'secret_removed', name: 'local' })
})

test('a secret that is not a small object of named texts, or whose name is not configured, is refused', async () => {
  const user = (await openRuntimeHarness()).user('ada')
  for (const fields of [{}, [], 'key', { apiKey: '' }, { apiKey: 7 }, { 'a b': 'x' }, { apiKey: 'x'.repeat(20_000) }]) {
    await assert.rejects(user.setSecret('local', fields as never), fails('secret_invalid'))
  }
  await assert.rejects(user.setSecret('local', JSON.parse('{"__proto__": "x"}')), fails('secret_invalid'))
  await assert.rejects(user.setSecret('lokal', { apiKey: 'x' }), fails('provider_unknown'))
})

test('a field of a secret that is nearly one that the provider reads is misspelt; other fields are stored', async () => {
  await using harness = await openRuntimeHarness()
  const user = harness.user('ada')
  for (const field of ['api_Key', 'api_key', 'apiKeys']) {
    await assert.rejects(user.setSecret('local', { apiKey: 'k', [field]: 'x' }), (error: Error & { hint?: string }) => {
      return fails('secret_invalid')(error) && error.hint === "Did you mean 'apiKey'?"
    })
  }
  assert.deepEqual(await user.secrets(), [])
  await user.setSecret('local', { apiKey: 'k', team: 'x' })
  await user.setSecret('own', { api_key: 'x' })
  assert.equal((await user.secrets()).length, 2)
})

test('a sealed record that is copied to another user, name or incarnation does not open', async () => {
  await using harness = await openRuntimeHarness()
  await harness.user('ada').setSecret('other', { apiKey: 'key-of-ada' })
  await harness.user('bob').configure({ provider: 'other' })
  const record = await harness.store.users.record(harness.subject('ada'), 'secret', 'other')
  assert.ok(record)
  const move = (id: string, name: string, value: string): Promise<void> =>
    harness.journal.write(harness.subject(id), {
      decide: () => ({ records: [{ kind: 'secret', name, value }], result: () => undefined }),
    })
  await move('bob', 'other', record)
  await assert.rejects(harness.user('bob').acquire(), fails('secret_missing'))
  await move('ada', 'local', record)
  await assert.rejects(harness.user('ada').acquire({ override: { provider: 'local' } }), fails('secret_missing'))
  await harness.erase('ada')
  await harness.user('ada').configure({ provider: 'other' })
  await move('ada', 'other', record)
  await assert.rejects(harness.user('ada').acquire(), fails('secret_missing'), 'of an earlier incarnation')
  await move('ada', 'other', record.replace('"incarnation":1', '"incarnation":2'))
  await assert.rejects(
    harness.user('ada').acquire(),
    fails('secret_missing'),
    'even when the record claims the new incarnation',
  )
})

test('the secret key can be rotated without downtime, and a wrong one is refused', async () => {
  const [first, second] = [newKey(), newKey()]
  await using harness = await openRuntimeHarness({ secretKey: { current: first, previous: [] } })
  await harness.user('ada').setSecret('other', { apiKey: 'key-of-ada' })
  await harness.user('ada').configure({ provider: 'other' })
  const rotated = await harness.openInstance({ secretKey: { current: second, previous: [first] } })
  for (const one of [rotated, harness]) {
    const lease = await one.user('ada').acquire()
    assert.equal(one.models.at(-1)?.request.credentials?.apiKey, 'key-of-ada')
    lease.release()
  }
  await harness.user('ada').setSecret('other', { apiKey: 'newer-key' })
  const afterwards = await harness.openInstance({ secretKey: { current: second, previous: [] } })
  await afterwards.user('ada').acquire()
  assert.equal(afterwards.models.at(-1)?.request.credentials?.apiKey, 'newer-key')
  await assert.rejects(harness.openInstance({ secretKey: { current: first, previous: [] } }), fails('secret_key_wrong'))
})

test('credentials show nothing when printed or serialized, and remain readable', () => {
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

test('a redacted cause contains the secret in no encoding, and not the original error', () => {
  const secret = 'ca/nary "7"'
  const original = Object.assign(
    new Error(`fetch http://x/?k=${encodeURIComponent(secret)} failed`, { cause: new Error(secret) }),
    {
      request: { headers: { authorization: secret } },
      code: 'ECONNREFUSED',
    },
  )
  const redacted = redactError(original, [secret])
  const shown = [inspect(redacted, { depth: 9, showHidden: true }), JSON.stringify({ stack: String(redacted.stack) })]
  for (const text of shown) {
    assert.ok(!text.includes('nary'), text)
  }
  assert.equal((redacted as { code?: string }).code, 'ECONNREFUSED')
  const basic = redactError(new Error(`Basic ${Buffer.from('canary-token').toString('base64')}`), ['canary-token'])
  assert.equal(basic.message, 'Basic [redacted]')
})

test('1,000 canary secrets appear in no row, event, error, cause, listing or bus message', async (t) => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const seen: string[] = []
  const see = (value: unknown): void =>
    void seen.push(inspect(value, { depth: 12, showHidden: true }), JSON.stringify(value) ?? '')
  harness.store.bus.subscribe(see)
  harness.fakes.connect = async ({ definition }) => {
    const { headers } = definition as { headers?: Record<string, string> }
    throw Object.assign(new Error(`connect failed with ${headers?.authorization}`), { headers })
  }
  const users = rounds(500, 100)
  for (let index = 0; index < users; index++) {
    const user = harness.user(`user-${index}`)
    const [apiKey, token] = [`canary-key-${index}-x`, `canary-token-${index}-x`]
    await user.setSecret('other', { apiKey })
    await user.setSecret('own', { token })
    const lease = await user.acquire({ override: { provider: 'other' } })
    await lease.mcp('own').then(() => assert.fail('It has connected.'), see)
    await user.configure({ provider: apiKey } as never).catch(() => undefined)
    see([await user.secrets(), await user.settings(), user, lease, lease.settings])
    const where = harness.subject(`user-${index}`)
    see([
      await harness.store.users.load(where),
      await harness.store.events.newest(where, { limit: 100 }),
      await harness.store.users.records(where, 'secret', { limit: 100, order: 'ascending' }),
    ])
    lease.release()
  }
  see([harness.runtimes, harness.runtimes.active()])
  assert.equal(harness.models.length, users)
  assert.deepEqual(
    seen.filter((text) => /canary-(key|token)-\d+-x/.test(text)),
    [],
  )
  t.diagnostic(`${users * 2} canaries, ${seen.length} texts`)
})
