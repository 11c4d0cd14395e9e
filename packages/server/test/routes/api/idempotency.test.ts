import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openPurser, type Purser } from 'purser'
import { openServer } from '../../../src/app/server.ts'
import { createTempDirectory } from '../../support/processes.ts'
import { type Headers, openServerHarness } from '../../support/server-harness.ts'

test('an Idempotency-Key replays the first response for a day, and rejects another body', async () => {
  await using harness = await openServerHarness()
  const addNote = (text: string) => harness.call('POST', '/api/users/idem/notes', { text }, { 'idempotency-key': 'k1' })
  const [first, second] = [await addNote('once'), await addNote('once')]
  assert.equal(second.body, first.body)
  assert.equal(second.headers['idempotent-replayed'], 'true')
  assert.deepEqual(
    [(await addNote('other')).statusCode, (await addNote('other')).json().error.code],
    [422, 'idempotency_conflict'],
  )
  assert.equal((await harness.call('GET', '/api/users/idem/notes')).json().data.length, 1)
  harness.clock.advance(86_400_000)
  assert.equal((await addNote('once')).headers['idempotent-replayed'], undefined)
})

test('a repeat belongs to the key and not to its name, also when the name is used again', async () => {
  await using harness = await openServerHarness()
  const { keys } = harness.context
  const as = (key: string) =>
    harness.call('POST', '/api/keys', { role: 'viewer' }, { authorization: `Bearer ${key}`, 'idempotency-key': 'same' })
  const first = await keys.create({ role: 'admin', name: 'kim', createdBy: 'test' })
  const created = (await as(first.key)).json()
  assert.equal((await as(first.key)).json().key, created.key)
  await keys.revoke(first.id)
  const second = await keys.create({ role: 'admin', name: 'kim', createdBy: 'test' })
  const other = await as(second.key)
  assert.equal(other.headers['idempotent-replayed'], undefined)
  assert.notEqual(other.json().key, created.key)
})

test('stored responses have a limit in bytes: the oldest are dropped, the newest stay, and small ones fit in thousands', async () => {
  await using harness = await openServerHarness()
  const put = (index: number, text: string) =>
    harness.call('PUT', `/api/users/u${index}/profile`, { text }, { 'idempotency-key': `k${index}` })
  const isReplayed = async (index: number, text: string) => (await put(index, text)).headers['idempotent-replayed']
  const big = 'x'.repeat(60_000)
  // 120 KB each: 279 of them fit in 32 MiB.
  for (let index = 0; index < 300; index++) await put(index, big)
  assert.equal(await isReplayed(299, big), 'true')
  assert.equal(await isReplayed(30, big), 'true')
  assert.equal(await isReplayed(0, big), undefined)
  assert.equal(await isReplayed(10, big), undefined)
})

test('a repeat must also have the same If-Match and reason, and a 412 is not stored', async () => {
  await using harness = await openServerHarness()
  const setCap = (headers: Headers) =>
    harness.call('PUT', '/api/users/said/cap', { cap: 3 }, { 'idempotency-key': 'k', ...headers })
  assert.equal((await setCap({ 'if-match': '"7"' })).statusCode, 412)
  assert.equal((await setCap({ 'if-match': '"7"' })).headers['idempotent-replayed'], undefined)
  const first = await setCap({ 'if-match': '"0"', 'x-purser-reason': 'asked' })
  assert.equal(first.statusCode, 200)
  const repeat = await setCap({ 'if-match': '"0"', 'x-purser-reason': 'asked' })
  assert.deepEqual([repeat.body, repeat.headers['idempotent-replayed']], [first.body, 'true'])
  for (const headers of [
    { 'if-match': '"1"', 'x-purser-reason': 'asked' },
    { 'if-match': '"0"', 'x-purser-reason': 'other' },
    { 'if-match': '"0"' },
  ]) {
    const conflict = await setCap(headers)
    assert.deepEqual([conflict.statusCode, conflict.json().error.code], [422, 'idempotency_conflict'])
  }
  assert.equal((await harness.call('GET', '/api/users/said/bond')).json().version, 1)
})

test('after a restart a repeat has no second effect, and its response says that it was replayed', async () => {
  await using harness = await openServerHarness({
    config: { store: `sqlite:${join(createTempDirectory(), 'purser.db')}` },
    realTime: true,
  })
  type Call = readonly [method: 'POST' | 'PUT', path: string, body: object, otherBody: object]
  const send = ([method, path]: Call, body: object) =>
    harness.call(method, `/api/users/again/${path}`, body, { 'idempotency-key': `key ${path}` })
  const { ticket } = (await harness.call('POST', '/api/users/again/admissions')).json()
  const calls: readonly Call[] = [
    ['POST', 'admissions', { cost: 2 }, { cost: 3 }],
    ['POST', `admissions/${ticket}/settle`, { inputTokens: 5 }, { inputTokens: 6 }],
    ['POST', 'detections', { phase: 'warm' }, { phase: 'cold' }],
    ['POST', 'actions', { action: 'Played' }, { action: 'Left' }],
    ['POST', 'notes', { text: 'once' }, { text: 'twice' }],
    ['POST', 'correct', { phase: 'dormant', reason: 'r' }, { phase: 'x', reason: 'r' }],
    ['PUT', 'cap', { cap: 5 }, { cap: 6 }],
    ['PUT', 'block', { reason: 'r' }, { reason: 's' }],
    ['PUT', 'timezone', { timeZone: 'Asia/Kolkata' }, { timeZone: 'UTC' }],
  ]
  const responses: string[] = []
  for (const call of calls) {
    const { statusCode, headers, body } = await send(call, call[2])
    assert.ok(statusCode < 300, `${call[1]}: ${body}`)
    assert.equal(headers['idempotent-replayed'], undefined)
    responses.push(body)
  }
  const getState = async () => {
    const [bond, actions] = await Promise.all([
      harness.call('GET', '/api/users/again/bond'),
      harness.call('GET', '/api/users/again/actions'),
    ])
    const { version, dailyCount, notesCount } = bond.json()
    return [version, dailyCount, notesCount, actions.json().data.length]
  }
  const before = await getState()
  await harness.reopen()
  for (const [index, call] of calls.entries()) {
    const repeat = await send(call, call[2])
    assert.equal(repeat.headers['idempotent-replayed'], 'true', call[1])
    if (call[1] === 'detections') assert.equal(repeat.json().outcome, 'replayed')
    else assert.equal(repeat.body, responses[index], call[1])
    assert.equal((await send(call, call[3])).statusCode, 422, call[1])
  }
  assert.deepEqual(await getState(), before)
})

test('a repeat while the first call is still running is 409', async () => {
  const gate = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const purser = await openPurser({ store: 'memory:' })
  const slow: Purser = {
    ...purser,
    user: (id) => {
      const user = purser.user(id)
      const addNote: typeof user.ledger.addNote = async (...args) => {
        started.resolve()
        await gate.promise
        return user.ledger.addNote(...args)
      }
      return { ...user, ledger: { ...user.ledger, addNote } }
    },
  }
  const { fastify, close } = await openServer({ purser: slow, authorize: () => ({ actor: 'host', role: 'admin' }) })
  const addNote = () =>
    fastify.inject({
      method: 'POST',
      url: '/api/users/run/notes',
      headers: { 'idempotency-key': 'k' },
      payload: { text: 'x' },
    })
  const first = addNote()
  await started.promise
  const second = await addNote()
  assert.deepEqual([second.statusCode, second.json().error.code], [409, 'idempotency_running'])
  gate.resolve()
  assert.equal((await first).json().actor, 'host')
  await close()
  await purser.close()
})

test('stored responses about a user are deleted when the user is erased', async () => {
  await using harness = await openServerHarness()
  const post = (user: string, path: string, body: object) =>
    harness.call('POST', `/api/users/${user}/${path}`, body, { 'idempotency-key': 'k' })
  for (const user of ['gone', 'other']) {
    assert.equal((await post(user, 'notes', { text: `of ${user}` })).statusCode, 200)
  }
  const erased = await post('gone', 'erase', { reason: 'asked' })
  assert.equal(erased.json().erased.notes, 1)
  assert.equal((await post('gone', 'erase', { reason: 'asked' })).body, erased.body)
  assert.equal((await post('other', 'notes', { text: 'of other' })).headers['idempotent-replayed'], 'true')
  assert.equal((await post('gone', 'notes', { text: 'of gone' })).headers['idempotent-replayed'], undefined)
  assert.equal((await harness.call('GET', '/api/users/gone/notes')).json().data.length, 1)
})

test('an erasure, a detection and an admission also check If-Match', async () => {
  await using harness = await openServerHarness()
  const post = (path: string, body: object, version: number) =>
    harness.call('POST', `/api/users/matched/${path}`, body, { 'if-match': `"${version}"` })
  const calls = [
    ['admissions', {}],
    ['detections', { phase: 'warm' }],
    ['erase', { reason: 'asked' }],
  ] as const
  for (const [path, body] of calls) assert.equal((await post(path, body, 7)).statusCode, 412, path)
  assert.equal((await harness.call('GET', '/api/users/matched/bond')).json().exists, false)
  assert.equal((await post('admissions', {}, 0)).statusCode, 200)
  // The admission of an admin left an event.
  assert.equal((await post('detections', { phase: 'warm' }, 1)).json().bond.version, 2)
  assert.equal((await post('erase', { reason: 'asked' }, 2)).json().erased.bond, 1)
})
