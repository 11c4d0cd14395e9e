import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PurserError } from '../../src/errors.ts'
import { openContextHarness } from '../support/context-harness.ts'

test('UC-39, UC-D09 the sections of an unknown user are empty, not unavailable', async () => {
  await using harness = await openContextHarness()
  const context = await harness.user('unknown').context.resolve()
  assert.equal(context.status, 'fresh')
  assert.deepEqual(
    context.sections.map(({ name, status, cut }) => ({ name, status, cut })),
    [
      { name: 'profile', status: 'empty', cut: 0 },
      { name: 'actions', status: 'empty', cut: 0 },
    ],
  )
  assert.ok(context.details.length > 0 && context.actions.length > 0)
  assert.ok(!context.details.includes('User'), 'no default name')
})

test('UC-44 both modes render the built-in sources', async () => {
  await using harness = await openContextHarness()
  const user = harness.user('asha')
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

test('a warm call returns the same frozen context, and so does peek', async () => {
  await using harness = await openContextHarness()
  const { context } = harness.user('asha')
  assert.equal(context.peek(), undefined)
  const first = await context.resolve()
  assert.equal(await context.resolve({ mode: 'reuse' }), first)
  assert.equal(context.peek(), first)
  assert.ok(Object.isFrozen(first) && Object.isFrozen(first.sections))
  assert.equal(harness.clock.timers, 0, 'no timer is set')
})

test('UC-12 the next call includes a profile that was put and an action that was recorded', async () => {
  await using harness = await openContextHarness()
  const user = harness.user('asha')
  await user.context.resolve()
  await user.profile.put({ name: 'Asha' })
  assert.match((await user.context.resolve()).details, /Asha/)
  await user.profile.patch({ name: null, city: 'Pune' })
  assert.deepEqual(await user.profile.get(), { city: 'Pune' })
  assert.match((await user.context.resolve()).details, /city: Pune/)
  await user.actions.record({ action: 'Sang' })
  assert.match((await user.context.resolve()).actions, /Sang on 2026-01-01T12:00:00/)
})

test('the newest 1,000 actions by date are kept and listed newest first', async () => {
  await using harness = await openContextHarness()
  const { actions } = harness.user('asha')
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

test('UC-D19 of 10,000 actions at once, the newest 1,000 are kept, whatever their order', async () => {
  await using harness = await openContextHarness()
  const user = harness.user('asha')
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

test('invalid profiles and actions are rejected before anything is written', async () => {
  await using harness = await openContextHarness()
  const { profile, actions } = harness.user('asha')
  const circle: Record<string, unknown> = {}
  circle.self = circle
  const isInvalid = (error: unknown): boolean => PurserError.is(error, 'argument_invalid')
  for (const input of [null, [], 'x', 7, { big: 'x'.repeat(65_536) }, circle, { n: 1n }])
    await assert.rejects(profile.put(input as never), isInvalid)
  for (const input of [
    null,
    {},
    { action: '' },
    { action: 7 },
    { action: 'a', at: 'soon' },
    { action: 'a', lable: 'x' },
  ])
    await assert.rejects(actions.record(input as never), isInvalid)
  await assert.rejects(actions.record([{ action: 'good' }, { action: 'bad', at: 'never' }]), isInvalid)
  await assert.rejects(actions.list({ limit: -1 }), isInvalid)
  assert.deepEqual(await profile.get(), {})
  assert.deepEqual(await actions.list(), [])
})

test('of two conditional writes of a profile, one succeeds and the other rejects', async () => {
  await using harness = await openContextHarness()
  const user = harness.user('asha')
  await user.profile.put({ name: 'Ada' })
  const isAda = (stored: Readonly<Record<string, unknown>>) => stored.name === 'Ada'
  const both = await Promise.allSettled([
    user.profile.patch({ name: 'Bob' }, { when: isAda }),
    user.profile.put({ name: 'Eve' }, { when: isAda }),
  ])
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
  const lost = both.find(({ status }) => status === 'rejected') as PromiseRejectedResult
  assert.equal(lost.reason.code, 'version_conflict')
  const invalid = user.profile.put({}, { when: 'Ada' as never })
  await assert.rejects(invalid, { code: 'argument_invalid' })
})

test('`__proto__` in a profile is an ordinary field', async () => {
  await using harness = await openContextHarness()
  const user = harness.user('__proto__')
  await user.profile.patch(JSON.parse('{"__proto__":{"polluted":true},"name":"P"}') as Record<string, unknown>)
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
  assert.match((await user.context.resolve()).details, /user_name: P/)
})
