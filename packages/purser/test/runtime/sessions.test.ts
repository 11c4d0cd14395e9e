import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fails, openHouse } from '../support/runtime-harness.ts'

const DAY = 86_400_000

test('R8 RC-23: a pinned session keeps the settings of its creation across changes and restarts, a following one does not', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'local' } } })
  const user = house.user('ada')
  await user.configure({ region: 'eu' })
  await user.startSession('pinned', { policy: 'pin' })
  await user.startSession('following', { policy: 'follow' })
  await user.configure({ provider: 'many', model: 'x', region: null })
  for (const one of [house, await house.sibling()]) {
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

test('an unknown session follows, and is created by neither a look nor a use', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'local' } } })
  const user = house.user('ada')
  assert.equal((await user.settings({ session: 'nowhere' })).provider, 'local')
  const lease = await user.acquire({ session: 'nowhere' })
  assert.equal(lease.settings.model, 'm')
  lease.release()
  assert.deepEqual(await user.sessions(), [])
  assert.equal(await house.store.users.load(house.subject('ada')), undefined)
})

test('RC-14: a session remembers which models it ran on, written beside the turn', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'local' } } })
  const user = house.user('ada')
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
  await house.clock.pass(0)
  const [session] = await user.sessions()
  assert.deepEqual(
    session?.models.map(({ provider, model }) => `${provider}/${model}`),
    ['local/m', 'local/n'],
  )
  house.clock.advance(2 * 3_600_000)
  ;(await user.acquire({ session: 's' })).release()
  await house.clock.pass(0)
  assert.equal((await user.sessions())[0]?.lastUsedAt, '2026-01-01T14:00:00.000Z')
})

test('a user has at most 100 sessions: one more ends the longest unused; 90 idle days end one too', async () => {
  const house = await openHouse()
  const user = house.user('ada')
  for (let index = 0; index < 103; index++) {
    house.clock.advance(1_000)
    await user.startSession(`s${index}`, { policy: 'follow' })
  }
  const ids = (await user.sessions()).map(({ id }) => id)
  assert.equal(ids.length, 100)
  assert.deepEqual([ids[0], ids.at(-1)], ['s102', 's3'])
  house.clock.advance(90 * DAY + 1)
  assert.deepEqual(await user.sessions(), [])
  await user.startSession('new', { policy: 'follow' })
  assert.equal(
    (await house.store.users.records(house.subject('ada'), 'session', { limit: 200, order: 'ascending' })).length,
    1,
  )
})

test('a session that is started again is taken up; with another policy it begins anew; ended it is gone', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'local' } } })
  const user = house.user('ada')
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

test('a session id or policy that is none is refused', async () => {
  const user = (await openHouse()).user('ada')
  for (const id of ['', 'a\nb', 7, null, 'x'.repeat(257)]) {
    await assert.rejects(user.startSession(id as string, { policy: 'pin' }), fails('session_invalid'))
    if (id !== null) await assert.rejects(user.acquire({ session: id as string }), fails('session_invalid'))
  }
  await assert.rejects(user.startSession('s', { policy: 'stay' as 'pin' }), fails('session_invalid'))
  await assert.rejects(user.startSession('s', undefined as never), fails('session_invalid'))
})

test('R12: a failed note of a session use fails no turn, and is made with the next use', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'local' } } })
  const user = house.user('ada')
  await user.startSession('s', { policy: 'follow' })
  const commit = house.store.users.commit
  house.store.users.commit = async () => {
    throw new Error('disk full')
  }
  ;(await user.acquire({ session: 's' })).release()
  await house.clock.pass(0)
  house.store.users.commit = commit
  assert.deepEqual((await user.sessions())[0]?.models, [])
  ;(await user.acquire({ session: 's' })).release()
  await house.clock.pass(0)
  assert.equal((await user.sessions())[0]?.models.length, 1)
})
