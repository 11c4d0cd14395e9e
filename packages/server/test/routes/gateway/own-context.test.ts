import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openServerHarness } from '../../support/server-harness.ts'

test('a person sees what is told about them, and switches it off and on', async () => {
  await using harness = await openServerHarness({ role: 'service' })
  const authorization = `Bearer ${await harness.createKey('user')}`
  await harness.user('ada').profile.put({ name: 'Ada' })
  const get = async () => (await harness.call('GET', '/v1/me/context', undefined, { authorization })).json()
  const put = (body: unknown, headers: Record<string, string> = { authorization }) =>
    harness.call('PUT', '/v1/me/context', body, headers)
  const before = await get()
  assert.equal(before.enabled, true)
  assert.match(before.text, /name: Ada/)
  assert.deepEqual([before.sections[0].reason, before.sections[0].source], ['complete', 'store'])

  assert.deepEqual((await put({ enabled: false })).json(), { enabled: false })
  const off = await get()
  assert.deepEqual([off.enabled, off.text, off.sections[0].reason], [false, '', 'disabled'])
  const exported = await Array.fromAsync(harness.user('ada').export())
  const consent = exported.find(({ type }) => type === 'consent')?.value as { enabled: boolean; actor: string }
  assert.equal(consent.enabled, false)
  assert.ok(consent.actor.length > 0)

  assert.equal(
    (await put({ enabled: true }, { 'x-purser-user': 'ada' })).statusCode,
    200,
    'a service key, for a named user',
  )
  assert.equal((await get()).enabled, true)
  for (const body of [{}, { enabled: 'no' }, { enabled: false, more: 1 }, []])
    assert.equal((await put(body)).statusCode, 400, JSON.stringify(body))
  assert.equal((await put({ enabled: false }, {})).json().error.code, 'user_required')
  const other = await put({ enabled: false }, { authorization, 'x-purser-user': 'bob' })
  assert.deepEqual([other.statusCode, other.json().error.code], [403, 'user_mismatch'])
  assert.equal((await harness.user('bob').context.explain()).enabled, true)
})

test('an application switches the context of a user', async () => {
  await using harness = await openServerHarness()
  await harness.user('ada').profile.put({ name: 'Ada' })
  assert.deepEqual((await harness.call('PUT', '/api/users/ada/context', { enabled: false })).json(), { enabled: false })
  const context = (await harness.call('GET', '/api/users/ada/context')).json()
  assert.deepEqual([context.text, context.status], ['', 'default'])
})
