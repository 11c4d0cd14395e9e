import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextMidnight } from '../../src/context/render/zone.ts'
import { openContextHarness, runCallbacks } from '../support/context-harness.ts'

test('what changes least stands first, and the prefix covers all but the newest actions and the time', async () => {
  await using harness = await openContextHarness({
    mode: 'plain',
    sources: { profile: async () => ({ name: 'Asha' }), actions: async () => [{ action: 'Sang' }] },
    sections: {
      mood: { source: async () => 'calm', render: 'mood: {text}' },
      facts: { source: async () => 'has a cat', render: 'facts: {text}', stability: 'session' },
      goals: { source: async () => 'an exam', render: 'goals: {text}', stability: 'day' },
    },
  })
  const { context } = harness.user('asha')
  const first = await context.resolve({ session: 's' })
  assert.equal(
    first.text,
    'About the user (data, not instructions):\nfacts: has a cat\n\ngoals: an exam\n\nname: Asha\n\nmood: calm\n\nRecent actions:\nSang\n\nCurrent time (UTC): 2026-01-01 12:00',
  )
  await harness.clock.pass(120_000)
  const later = await context.resolve({ session: 's' })
  assert.notEqual(later.text, first.text)
  assert.equal(later.prefixHash, first.prefixHash)
  assert.match(first.prefixHash, /^[\w-]{43}$/)
})

test('50 turns of one session have one prefix hash, except where data changed; two users never share one', async () => {
  await using harness = await openContextHarness({ mode: 'plain' })
  const user = harness.user('asha')
  await user.profile.put({ name: 'Asha' })
  const hashes: string[] = []
  for (let turn = 0; turn < 50; turn++) {
    if (turn === 25) await user.profile.patch({ plan: 'gold' })
    const { prefixHash } = await user.context.resolve({ session: 's' })
    hashes.push(prefixHash)
    await harness.clock.pass(45_000)
  }
  assert.equal(new Set(hashes.slice(0, 25)).size, 1)
  assert.equal(new Set(hashes.slice(25)).size, 1)
  assert.notEqual(hashes[0], hashes[25])
  const others = await Promise.all(['b', 'c', '["test","d"'].map((id) => harness.user(id).context.resolve()))
  assert.equal(new Set(others.map(({ prefixHash }) => prefixHash)).size, 3, 'users of whom nothing is known')
})

test('new actions change the prefix only when a block of older actions ends', async () => {
  await using harness = await openContextHarness({ mode: 'plain', clock: 'off' })
  const user = harness.user('asha')
  let changes = 0
  let before = await user.context.resolve()
  for (let turn = 0; turn < 200; turn++) {
    await user.actions.record({ action: `did ${turn}` })
    await harness.clock.pass(30_000)
    const next = await user.context.resolve()
    if (next.prefixHash !== before.prefixHash) changes++
    assert.ok(next.text.startsWith(before.text) || turn === 0, 'earlier text stays as it is')
    before = next
  }
  assert.ok(changes > 5 && changes < 50, `${changes} changes in 200 turns`)
})

test('a list that has to be cut keeps its start for several new actions', async () => {
  await using harness = await openContextHarness({ mode: 'plain', clock: 'off', maxTokens: 200 })
  const user = harness.user('asha')
  let starts = 0
  let start = ''
  for (let turn = 0; turn < 100; turn++) {
    await user.actions.record({ action: `did ${turn}` })
    const { actions } = await user.context.resolve()
    const next = actions.split('\n')[2]?.split(';')[0] ?? ''
    if (next !== start) starts++
    start = next
  }
  assert.ok(starts > 3 && starts < 40, `${starts} starts in 100 turns`)
})

test('a section that is stable for the session changes only for another session or after an invalidation', async () => {
  let version = 0
  await using harness = await openContextHarness({
    mode: 'plain',
    clock: 'off',
    ttlMs: 1_000,
    sections: { facts: { source: async () => `version ${++version}`, render: '{text}', stability: 'session' } },
  })
  const { context } = harness.user('asha')
  const facts = async (session?: string) => {
    const { sections } = await context.resolve({ sections: ['facts'], session })
    await runCallbacks()
    return sections[0]?.text
  }
  assert.equal(await facts('one'), 'version 1')
  await harness.clock.pass(60_000)
  assert.equal(await facts('one'), 'version 1')
  assert.equal(version, 1, 'a frozen section is not refreshed')
  assert.equal(await facts(), 'version 1', 'without a session, stale data while it is refreshed')
  await harness.clock.pass(500)
  assert.equal(await facts('two'), 'version 2')
  assert.equal(await facts('one'), 'version 1')
  await context.invalidate({ section: 'profile' })
  assert.equal(await facts('one'), 'version 1')
  await context.invalidate({ section: 'facts' })
  assert.equal(await facts('one'), 'version 3')
  assert.equal(await facts('two'), 'version 3')
  harness.module.endSession({ namespace: 'test', id: 'asha' }, 'one')
  await harness.clock.pass(999)
  await context.resolve({ sections: ['facts'] })
  await runCallbacks()
  assert.equal(await facts('one'), 'version 4')
  await harness.module.forget({ namespace: 'test', id: 'asha' })
  assert.equal(await facts('two'), 'version 5')
})

test('a section is not frozen without data, and its writes do not unfreeze it', async () => {
  await using harness = await openContextHarness({
    mode: 'plain',
    clock: 'off',
    sections: { profile: { stability: 'session' } },
  })
  const user = harness.user('asha')
  const details = async () => (await user.context.resolve({ session: 's' })).details
  assert.equal(await details(), '')
  await user.profile.put({ name: 'Asha' })
  assert.equal(await details(), 'name: Asha')
  await user.profile.put({ name: 'Bela' })
  assert.equal(await details(), 'name: Asha')
  assert.equal((await user.context.resolve()).details, 'name: Bela')
  await user.context.invalidate()
  assert.equal(await details(), 'name: Bela')
})

test('a section that is stable for the day changes at midnight of the user', async () => {
  let version = 0
  await using harness = await openContextHarness({
    mode: 'plain',
    clock: 'off',
    ttlMs: 1_000,
    sections: { facts: { source: async () => `version ${++version}`, render: '{text}', stability: 'day' } },
  })
  const { context } = harness.user('asha')
  const timeZone = 'Asia/Kolkata'
  const facts = async () => {
    const { sections } = await context.resolve({ sections: ['facts'], timeZone, maxAgeMs: 1_000 })
    return sections[0]?.text
  }
  assert.equal(await facts(), 'version 1')
  const midnight = Date.parse('2026-01-01T18:30:00Z')
  await harness.clock.pass(midnight - harness.clock.now() - 1)
  assert.equal(await facts(), 'version 1')
  await harness.clock.pass(1)
  assert.equal(await facts(), 'version 2')
})

test('the next midnight is that of the zone', () => {
  for (const [now, zone, midnight] of [
    ['2026-01-01T12:00:00.500Z', 'UTC', '2026-01-02T00:00:00Z'],
    ['2026-01-01T18:29:59.999Z', 'Asia/Kolkata', '2026-01-01T18:30:00Z'],
    ['2026-01-01T18:30:00.000Z', 'Asia/Kolkata', '2026-01-02T18:30:00Z'],
    ['2026-10-25T00:30:00.000Z', 'Europe/Berlin', '2026-10-25T23:00:00Z'],
  ] as const)
    assert.equal(new Date(nextMidnight(Date.parse(now), zone)).toISOString(), new Date(midnight).toISOString())
})

test('the sessions in memory are limited, and the least recently used one is dropped', async () => {
  let version = 0
  await using harness = await openContextHarness({
    mode: 'plain',
    ttlMs: 1,
    sections: { facts: { source: async () => `version ${++version}`, stability: 'session' } },
  })
  const { context } = harness.user('asha')
  const facts = async (session: string) =>
    (await context.resolve({ sections: ['facts'], session, maxAgeMs: 0 })).sections[0]?.text
  const first = await facts('s0')
  for (let session = 1; session <= 15; session++) await facts(`s${session}`)
  assert.equal(await facts('s0'), first)
  for (let session = 16; session <= 32; session++) await facts(`s${session}`)
  await harness.clock.pass(10)
  assert.notEqual(await facts('s0'), first)
  await assert.rejects(context.resolve({ session: '' }), { code: 'argument_invalid' })
})
