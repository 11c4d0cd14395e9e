import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PurserError } from '../../src/errors.ts'
import { openHouse } from '../support/context-harness.ts'

test('UC-39, UC-D09 an unknown user reads as empty, not as an outage', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const context = await house.user('nobody').context.resolve()
  assert.equal(context.status, 'fresh')
  assert.deepEqual(
    context.sections.map(({ name, status, cut }) => ({ name, status, cut })),
    [
      { name: 'profile', status: 'empty', cut: 0 },
      { name: 'actions', status: 'empty', cut: 0 },
    ],
  )
  assert.ok(context.details.length > 0 && context.actions.length > 0)
  assert.ok(!context.details.includes('User'), 'no name is made up')
})

test('UC-44 both modes are told from the built-in source', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const user = house.user('asha')
  await user.profile.put({ name: 'Asha', preferred_language: 'hi', plan: 'gold' })
  await user.actions.record([
    { action: 'Login', at: '2026-01-01T09:00:00Z' },
    { action: 'Read', at: '2026-01-01T10:00:00+05:30' },
    { action: 'Login', at: '2026-01-01T11:00:00Z' },
  ])
  const create = await user.context.resolve({ mode: 'create' })
  assert.equal(
    create.actions,
    'Read on 2026-01-01T04:30:00, Login on 2026-01-01T09:00:00, Login on 2026-01-01T11:00:00',
  )
  assert.match(
    create.details,
    /user_name: Asha, gender: not specified, preferred_language: hi, date_of_birth: not specified/,
  )

  const reuse = await user.context.resolve({ timeZone: 'Asia/Kolkata' })
  assert.match(
    reuse.actions,
    /Read on 2026-01-01T10:00:00, Login on 2026-01-01T14:30:00, Login on 2026-01-01T16:30:00 <PREVIOUS_USER_ACTION_END>/,
  )
  assert.match(reuse.actions, /Asia\/Kolkata is 2026-01-01T17:30:00/)
  assert.match(reuse.details, /plan: gold/)
  assert.ok(reuse.text.includes(reuse.details) && reuse.text.includes(reuse.actions))
  assert.equal(reuse.status, 'fresh')
})

test('a warm call gives the same frozen context, and peek finds it', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const { context } = house.user('asha')
  assert.equal(context.peek(), undefined)
  const first = await context.resolve()
  assert.equal(await context.resolve({ mode: 'reuse' }), first)
  assert.equal(context.peek(), first)
  assert.ok(Object.isFrozen(first) && Object.isFrozen(first.sections))
  assert.equal(house.clock.timers, 0, 'nothing is armed')
})

test('UC-12 a profile put or an action recorded is told by the next call', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const user = house.user('asha')
  await user.context.resolve()
  await user.profile.put({ name: 'Asha' })
  assert.match((await user.context.resolve()).details, /Asha/)
  await user.profile.patch({ name: null, city: 'Pune' })
  assert.deepEqual(await user.profile.get(), { city: 'Pune' })
  assert.match((await user.context.resolve()).details, /city: Pune/)
  await user.actions.record({ action: 'Sang' })
  assert.match((await user.context.resolve()).actions, /Sang on 2026-01-01T12:00:00/)
})

test('the newest 1,000 actions by date stay, newest first in lists', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const { actions } = house.user('asha')
  const many = Array.from({ length: 1_000 }, (_, index) => ({ action: `a${index}`, at: 1_700_000_000_000 + index }))
  await actions.record(many)
  await actions.record({ action: 'older than all', at: '2001-01-01' })
  await actions.record({ action: 'newest' })
  const listed = await actions.list({ limit: 1_000 })
  assert.equal(listed.length, 1_000)
  assert.deepEqual(listed[0], { action: 'newest', at: '2026-01-01T12:00:00.000Z' })
  assert.equal(listed[1]?.action, 'a999')
  assert.equal(listed.at(-1)?.action, 'a1')
  assert.deepEqual(await actions.list({ limit: 0 }), [])
})

test('UC-D19 10,000 actions at once: the newest 1,000 stay, whatever order they came in', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const user = house.user('asha')
  const base = Date.parse('2026-01-01T00:00:00Z')
  const many = Array.from({ length: 10_000 }, (_, index) => ({
    action: `a${index}`,
    at: base + ((index * 7_919) % 10_000) * 1_000,
  }))
  assert.equal((await user.actions.record(many)).length, 10_000)
  const listed = await user.actions.list({ limit: 1_000 })
  assert.equal(listed.length, 1_000)
  assert.equal(listed.at(-1)?.at, new Date(base + 9_000_000).toISOString())
  const { sections } = await user.context.resolve({ mode: 'create' })
  assert.ok((sections[1]?.cut ?? 0) > 0)
  assert.ok(Buffer.byteLength(sections[1]?.text ?? '') <= 32_768)
})

test('wrong profiles and actions are refused before anything is written', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const { profile, actions } = house.user('asha')
  const circle: Record<string, unknown> = {}
  circle.self = circle
  const refused = (error: unknown): boolean => PurserError.is(error, 'argument_invalid')
  for (const wrong of [null, [], 'x', 7, { big: 'x'.repeat(65_536) }, circle, { n: 1n }])
    await assert.rejects(profile.put(wrong as never), refused)
  for (const wrong of [
    null,
    {},
    { action: '' },
    { action: 7 },
    { action: 'a', at: 'soon' },
    { action: 'a', lable: 'x' },
  ])
    await assert.rejects(actions.record(wrong as never), refused)
  await assert.rejects(actions.record([{ action: 'good' }, { action: 'bad', at: 'never' }]), refused)
  await assert.rejects(actions.list({ limit: -1 }), refused)
  assert.deepEqual(await profile.get(), {})
  assert.deepEqual(await actions.list(), [])
})

test('a profile changes only while it is what the change was decided on', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const user = house.user('asha')
  await user.profile.put({ name: 'Ada' })
  const isAda = (present: Readonly<Record<string, unknown>>) => present.name === 'Ada'
  const both = await Promise.allSettled([
    user.profile.patch({ name: 'Bob' }, { when: isAda }),
    user.profile.put({ name: 'Eve' }, { when: isAda }),
  ])
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
  const lost = both.find(({ status }) => status === 'rejected') as PromiseRejectedResult
  assert.equal(lost.reason.code, 'version_conflict')
  const wrong = user.profile.put({}, { when: 'Ada' as never })
  await assert.rejects(wrong, { code: 'argument_invalid' })
})

test('`__proto__` in a profile is a field like any other', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const user = house.user('__proto__')
  await user.profile.patch(JSON.parse('{"__proto__":{"polluted":true},"name":"P"}') as Record<string, unknown>)
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
  assert.match((await user.context.resolve()).details, /user_name: P/)
})
