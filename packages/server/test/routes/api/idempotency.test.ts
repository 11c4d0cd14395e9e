import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openPurser, type Purser } from 'purser'
import { handClock } from 'purser/testing'
import { type OpenServer, openServer } from '../../../src/app/server.ts'
import { freshDirectory } from '../../support/processes.ts'

const authorize = () => ({ actor: 'host', role: 'admin' }) as const

test('an Idempotency-Key gives the first answer again for a day, and refuses another body', async () => {
  const clock = handClock()
  const config = { store: 'memory:', server: { logLevel: 'silent' as const } }
  const { fastify, close } = await openServer({ config, authorize, effects: clock })
  const headers = { 'idempotency-key': 'k1' }
  const note = (text: string) =>
    fastify.inject({ method: 'POST', url: '/api/users/idem/notes', headers, payload: { text } })
  const [first, second] = [await note('once'), await note('once')]
  assert.equal(second.body, first.body)
  assert.equal(second.headers['idempotent-replayed'], 'true')
  assert.deepEqual(
    [(await note('other')).statusCode, (await note('other')).json().error.code],
    [422, 'idempotency_conflict'],
  )
  assert.equal((await fastify.inject('/api/users/idem/notes')).json().data.length, 1)
  clock.advance(86_400_000)
  assert.equal((await note('once')).headers['idempotent-replayed'], undefined)
  await close()
})

test('If-Match and the reason are part of what a repeat has to match, and a 412 is not remembered', async () => {
  const config = { store: 'memory:', server: { logLevel: 'silent' as const } }
  const { fastify, close } = await openServer({ config, authorize })
  const send = (headers: Record<string, string>) =>
    fastify.inject({
      method: 'PUT',
      url: '/api/users/said/cap',
      headers: { 'idempotency-key': 'k', ...headers },
      payload: { cap: 3 },
    })
  assert.equal((await send({ 'if-match': '"7"' })).statusCode, 412)
  assert.equal((await send({ 'if-match': '"7"' })).headers['idempotent-replayed'], undefined)
  const done = await send({ 'if-match': '"0"', 'x-purser-reason': 'asked' })
  assert.equal(done.statusCode, 200)
  const again = await send({ 'if-match': '"0"', 'x-purser-reason': 'asked' })
  assert.deepEqual([again.body, again.headers['idempotent-replayed']], [done.body, 'true'])
  for (const headers of [
    { 'if-match': '"1"', 'x-purser-reason': 'asked' },
    { 'if-match': '"0"', 'x-purser-reason': 'told' },
    { 'if-match': '"0"' },
  ]) {
    const other = await send(headers)
    assert.deepEqual([other.statusCode, other.json().error.code], [422, 'idempotency_conflict'])
  }
  assert.equal((await fastify.inject('/api/users/said/bond')).json().version, 1)
  await close()
})

test('an Idempotency-Key holds across a restart: nothing is done twice, and the answer says so', async () => {
  const config = { store: `sqlite:${join(freshDirectory(), 'purser.db')}`, server: { logLevel: 'silent' as const } }
  const open = () => openServer({ config, authorize })
  type Ask = readonly [method: 'POST' | 'PUT', place: string, body: object, other: object]
  const send = async ({ fastify }: OpenServer, [method, place]: Ask, payload: object) => {
    const headers = { 'idempotency-key': `key ${place}` }
    return fastify.inject({ method, url: `/api/users/again/${place}`, headers, payload })
  }
  const first = await open()
  const { ticket } = (await first.fastify.inject({ method: 'POST', url: '/api/users/again/admissions' })).json()
  const asks: readonly Ask[] = [
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
  const answers: string[] = []
  for (const ask of asks) {
    const { statusCode, headers, body } = await send(first, ask, ask[2])
    assert.ok(statusCode < 300, `${ask[1]}: ${body}`)
    assert.equal(headers['idempotent-replayed'], undefined)
    answers.push(body)
  }
  const state = async ({ fastify }: OpenServer) => {
    const [bond, actions] = await Promise.all([
      fastify.inject('/api/users/again/bond'),
      fastify.inject('/api/users/again/actions'),
    ])
    const { version, dailyCount, notesCount } = bond.json()
    return [version, dailyCount, notesCount, actions.json().data.length]
  }
  const before = await state(first)
  await first.close()
  const second = await open()
  for (const [place, ask] of asks.entries()) {
    const again = await send(second, ask, ask[2])
    assert.equal(again.headers['idempotent-replayed'], 'true', ask[1])
    if (ask[1] === 'detections') assert.equal(again.json().outcome, 'replayed')
    else assert.equal(again.body, answers[place], ask[1])
    assert.equal((await send(second, ask, ask[3])).statusCode, 422, ask[1])
  }
  assert.deepEqual(await state(second), before)
  await second.close()
})

test('the same key while the first call is still running is 409', async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  const purser = await openPurser({ store: 'memory:' })
  const slow: Purser = {
    ...purser,
    user: (id) => {
      const user = purser.user(id)
      const addNote: typeof user.ledger.addNote = async (...given) => {
        begin()
        await gate
        return user.ledger.addNote(...given)
      }
      return { ...user, ledger: { ...user.ledger, addNote } }
    },
  }
  const { fastify, close } = await openServer({ purser: slow, authorize })
  const note = () =>
    fastify.inject({
      method: 'POST',
      url: '/api/users/run/notes',
      headers: { 'idempotency-key': 'k' },
      payload: { text: 'x' },
    })
  const first = note()
  await begun
  const second = await note()
  assert.deepEqual([second.statusCode, second.json().error.code], [409, 'idempotency_running'])
  open()
  assert.equal((await first).json().actor, 'host')
  await close()
  await purser.close()
})

test('what was answered under an Idempotency-Key goes with the person it is about', async () => {
  const config = { store: 'memory:', server: { logLevel: 'silent' as const } }
  const { fastify, close } = await openServer({ config, authorize })
  const ask = (user: string, place: string, payload: object) =>
    fastify.inject({
      method: 'POST',
      url: `/api/users/${user}/${place}`,
      headers: { 'idempotency-key': 'k' },
      payload,
    })
  for (const user of ['gone', 'other']) assert.equal((await ask(user, 'notes', { text: `of ${user}` })).statusCode, 200)
  const erased = await ask('gone', 'erase', { reason: 'asked' })
  assert.equal(erased.json().erased.notes, 1)
  assert.equal((await ask('gone', 'erase', { reason: 'asked' })).body, erased.body)
  assert.equal((await ask('other', 'notes', { text: 'of other' })).headers['idempotent-replayed'], 'true')
  assert.equal((await ask('gone', 'notes', { text: 'of gone' })).headers['idempotent-replayed'], undefined)
  assert.equal((await fastify.inject('/api/users/gone/notes')).json().data.length, 1)
  await close()
})

test('an erasure, a detection and an admission heed If-Match as well', async () => {
  const config = { store: 'memory:', server: { logLevel: 'silent' as const } }
  const { fastify, close } = await openServer({ config, authorize })
  const ask = (place: string, payload: object, version: number) =>
    fastify.inject({
      method: 'POST',
      url: `/api/users/matched/${place}`,
      headers: { 'if-match': `"${version}"` },
      payload,
    })
  const calls = [
    ['admissions', {}],
    ['detections', { phase: 'warm' }],
    ['erase', { reason: 'asked' }],
  ] as const
  for (const [place, body] of calls) assert.equal((await ask(place, body, 7)).statusCode, 412, place)
  assert.equal((await fastify.inject('/api/users/matched/bond')).json().exists, false)
  assert.equal((await ask('admissions', {}, 0)).statusCode, 200)
  assert.equal((await ask('detections', { phase: 'warm' }, 0)).json().bond.version, 1)
  assert.equal((await ask('erase', { reason: 'asked' }, 1)).json().erased.bond, 1)
  await close()
})
