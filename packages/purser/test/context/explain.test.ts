import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openContextHarness, runCallbacks } from '../support/context-harness.ts'

test('a receipt says for each section where it came from, its age, and why it was kept or cut', async () => {
  await using harness = await openContextHarness({
    mode: 'plain',
    clock: 'off',
    budgetMs: 50,
    sources: { actions: async () => Array.from({ length: 60 }, (_, index) => ({ action: `did ${index}`, at: index })) },
    sections: {
      facts: { source: async () => ['one', 'two', 'three'], maxItems: 2 },
      goals: { source: async () => 'an exam', stability: 'session' },
      memories: { source: async () => ['x'], needs: 'query' },
      mood: { source: () => Promise.reject(new Error('down')) },
    },
  })
  const user = harness.user('asha')
  await user.profile.put({ name: 'Asha' })
  await user.context.resolve({ session: 's' })
  await harness.clock.pass(2_000)
  const options = { session: 's', maxTokens: 200 }
  const explanation = await user.context.explain(options)
  const resolved = await user.context.resolve(options)
  assert.equal(explanation.text, resolved.text)
  assert.equal(explanation.prefixHash, resolved.prefixHash)
  assert.equal(explanation.previous, null)
  assert.deepEqual(
    explanation.sections.map(({ name, source, ageMs, kept, reason }) => [name, source, ageMs, kept, reason]),
    [
      ['profile', 'store', 2_000, true, 'complete'],
      ['actions', 'function', 2_000, true, 'token_budget'],
      ['facts', 'function', 2_000, true, 'own_limit'],
      ['goals', 'function', 2_000, true, 'frozen'],
      ['memories', 'function', null, false, 'no_query'],
      ['mood', 'function', null, true, 'failed'],
    ],
  )
  for (const [index, section] of explanation.sections.entries()) {
    const { text, tokens, cut, status } = resolved.sections[index] ?? assert.fail()
    assert.deepEqual([section.text, section.tokens, section.cut, section.status], [text, tokens, cut, status])
  }
  await assert.rejects(user.context.explain({ mode: 'other' as never }), { code: 'argument_invalid' })
})

test('a receipt has what an equal call gave a minute ago, also over an invalidation, and not after an erasure', async () => {
  await using harness = await openContextHarness({ mode: 'plain', clock: 'off' })
  const user = harness.user('asha')
  await user.profile.put({ name: 'Asha' })
  const before = await user.context.resolve()
  await user.profile.put({ name: 'Bela' })
  await harness.clock.pass(59_999)
  assert.equal((await user.context.explain()).previous, null)
  await harness.clock.pass(1)
  await user.context.invalidate()
  const { previous, sections, text } = await user.context.explain()
  assert.deepEqual(previous, { at: '2026-01-01T12:00:00.000Z', text: before.text, prefixHash: before.prefixHash })
  assert.notEqual(text, before.text)
  assert.deepEqual(sections[0]?.previous, {
    at: '2026-01-01T12:00:00.000Z',
    status: 'fresh',
    tokens: before.sections[0]?.tokens,
    text: 'name: Asha',
  })
  assert.equal((await user.context.explain({ mode: 'create' })).previous, null, 'another kind of call')
  await harness.clock.pass(60_000)
  assert.equal((await user.context.explain()).sections[0]?.previous?.text, 'name: Bela')
  await harness.module.forget({ namespace: 'test', id: 'asha' })
  assert.equal((await user.context.explain()).previous, null)
  await harness.clock.pass(60_000)
  assert.notEqual((await user.context.explain()).previous, null)
  await harness.store.bus.publish({ topic: 'user', namespace: 'test', user: 'asha', detail: 'erased' })
  await runCallbacks()
  assert.equal((await user.context.explain()).previous, null, 'erased by another process')
})

test('the receipts in memory are limited', async () => {
  await using harness = await openContextHarness({ maxUsers: 3, clock: 'off', mode: 'plain' })
  for (let user = 0; user < 10; user++) await harness.user(`u${user}`).context.resolve()
  await harness.clock.pass(60_000)
  assert.notEqual((await harness.user('u9').context.explain()).previous, null)
  assert.equal((await harness.user('u0').context.explain()).previous, null)
})
