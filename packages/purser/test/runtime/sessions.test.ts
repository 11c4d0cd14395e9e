import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fails, openRuntimeHarness } from '../support/runtime-harness.ts'

const DAY = 86_400_000

test('a pinned session keeps the settings of its start across changes and restarts, a following one does not (RC-23)', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  await user.configure({ region: 'eu' })
  await user.startSession('pinned', { policy: 'pin' })
  await user.startSession('following', { policy: 'follow' })
  await user.configure({ provider: 'many', model: 'x', region: null })
  for (const one of [harness, await harness.openInstance()]) {
    const pinned = await one.user('ada').settings({ session: 'pinned' })
    assert.deepEqual([pinned.version, pinned.provider, pinned.model, pinned.region], [1, 'local', 'm', 'eu'])
    assert.equal(pinned.origin.provider, 'session')
    const following = await one.user('ada').settings({ session: 'following' })
    assert.deepEqual([following.version, following.provider], [2, 'many'])
    const lease = await one.user('ada').acquire({ session: 'pinned', override: { model: 'n' } })
    assert.deepEqual(
      [lease.settings.provider, lease.settings.model, lease.settings.origin.model],
      ['local', 'n', 'turn'],
    )
    lease.release()
  }
})

test('an unknown session behaves like follow, and neither settings nor acquire creates it', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  assert.equal((await user.settings({ session: 'nowhere' })).provider, 'local')
  const lease = await user.acquire({ session: 'nowhere' })
  assert.equal(lease.settings.model, 'm')
  lease.release()
  assert.deepEqual(await user.sessions(), [])
  assert.equal(await harness.store.users.load(harness.subject('ada')), undefined)
})

test('a session records the models it ran on, in the background (RC-14)', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  const started = await user.startSession('s', { policy: 'follow' })
  assert.deepEqual(started, {
    id: 's',
    policy: 'follow',
    version: 0,
    createdAt: '2026-01-01T12:00:00.000Z',
    lastUsedAt: '2026-01-01T12:00:00.000Z',
    models: [],
  })
  for (const override of [{}, { model: 'n' }, {}, { model: 'n' }]) {
    ;(await user.acquire({ session: 's', override })).release()
  }
  await harness.clock.pass(0)
  const [session] = await user.sessions()
  assert.deepEqual(
    session?.models.map(({ provider, model }) => `${provider}/${model}`),
    ['local/m', 'local/n'],
  )
  harness.clock.advance(2 * 3_600_000)
  ;(await user.acquire({ session: 's' })).release()
  await harness.clock.pass(0)
  assert.equal((await user.sessions())[0]?.lastUsedAt, '2026-01-01T14:00:00.000Z')
})

test('a user has at most 100 sessions: a further one ends the least recently used; 90 idle days end one as well', async () => {
  await using harness = await openRuntimeHarness()
  const user = harness.user('ada')
  for (let index = 0; index < 103; index++) {
    harness.clock.advance(1_000)
    await user.startSession(`s${index}`, { policy: 'follow' })
  }
  const ids = (await user.sessions()).map(({ id }) => id)
  assert.equal(ids.length, 100)
  assert.deepEqual([ids[0], ids.at(-1)], ['s102', 's3'])
  harness.clock.advance(90 * DAY + 1)
  assert.deepEqual(await user.sessions(), [])
  await user.startSession('new', { policy: 'follow' })
  assert.equal(
    (await harness.store.users.records(harness.subject('ada'), 'session', { limit: 200, order: 'ascending' })).length,
    1,
  )
})

test('starting a running session returns it; another policy starts it again; an ended one is gone', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  const first = await user.startSession('s', { policy: 'pin' })
  await user.configure({ model: 'n' })
  assert.deepEqual(await user.startSession('s', { policy: 'pin' }), first)
  assert.equal((await user.settings({ session: 's' })).model, 'm')
  await user.startSession('s', { policy: 'follow' })
  assert.equal((await user.settings({ session: 's' })).model, 'n')
  assert.equal(await user.endSession('s'), true)
  assert.equal(await user.endSession('s'), false)
  assert.deepEqual(await user.sessions(), [])
})

test('an invalid session id or policy is refused', async () => {
  const user = (await openRuntimeHarness()).user('ada')
  for (const id of ['', 'a\nb', 7, null, 'x'.repeat(257)]) {
    await assert.rejects(user.startSession(id as string, { policy: 'pin' }), fails('session_invalid'))
    if (id !== null) await assert.rejects(user.acquire({ session: id as string }), fails('session_invalid'))
  }
  await assert.rejects(user.startSession('s', { policy: 'stay' as 'pin' }), fails('session_invalid'))
  await assert.rejects(user.startSession('s', undefined as never), fails('session_invalid'))
})

test('a failed write of a session use does not fail the turn and is repeated by the next use', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' } } })
  const user = harness.user('ada')
  await user.startSession('s', { policy: 'follow' })
  const commit = harness.store.users.commit
  harness.store.users.commit = async () => {
    throw new Error('disk full')
  }
  ;(await user.acquire({ session: 's' })).release()
  await harness.clock.pass(0)
  harness.store.users.commit = commit
  assert.deepEqual((await user.sessions())[0]?.models, [])
  ;(await user.acquire({ session: 's' })).release()
  await harness.clock.pass(0)
  assert.equal((await user.sessions())[0]?.models.length, 1)
})
