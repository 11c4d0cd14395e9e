import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { ChatMessage } from '../../src/openai/chat.ts'
import type { Store } from '../../src/storage/store.ts'
import { openContextHarness, runCallbacks } from '../support/context-harness.ts'
import { openTurnHarness } from '../support/turn-harness.ts'

test('a context that is switched off has no text, calls no source, and its receipt says so', async () => {
  let calls = 0
  await using harness = await openContextHarness({
    sections: {
      memories: {
        source: async () => {
          calls++
          return ['tea']
        },
        ttlMs: 0,
      },
    },
  })
  const user = harness.user('asha')
  await user.profile.put({ name: 'Asha' })
  for (const mode of ['plain', 'reuse', 'create'] as const) {
    await user.context.setEnabled(true, { actor: 'asha' })
    assert.match((await user.context.resolve({ mode })).text, /Asha/)
    assert.equal((await user.context.explain({ mode })).enabled, true)
    await user.context.setEnabled(false, { actor: 'asha' })
    await runCallbacks()
    const before = calls
    assert.doesNotMatch(user.context.peek({ mode })?.text ?? '', /Asha/)
    const off = await user.context.resolve({ mode })
    assert.equal(await user.context.resolve({ mode }), off, 'a warm call')
    const { text, details, actions, status, tokens, sections } = off
    assert.deepEqual([text, details, actions, status, tokens], ['', '', '', 'default', 0])
    assert.deepEqual(
      new Set(sections.map((section) => `${section.status} ${section.reason} ${section.text}`)),
      new Set(['unavailable disabled ']),
    )
    const explanation = await user.context.explain({ mode })
    assert.equal(explanation.enabled, false)
    assert.ok(explanation.sections.every(({ kept, reason }) => !kept && reason === 'disabled'))
    await user.context.resolve({ mode, maxAgeMs: 0, timeZone: 'Asia/Kolkata' })
    assert.equal(calls, before, 'no source is called')
  }
})

test('the choice survives a restart, holds in other processes at once, is exported, and ends with an erasure', async () => {
  await using harness = await openContextHarness({ mode: 'plain' })
  await using other = await harness.reopen()
  const user = harness.user('asha')
  await user.profile.put({ name: 'Asha' })
  assert.match((await other.user('asha').context.resolve()).text, /Asha/)
  await user.context.setEnabled(false, { actor: 'asha' })
  await runCallbacks()
  assert.equal((await other.user('asha').context.resolve()).text, '')
  await using restarted = await harness.reopen()
  assert.equal((await restarted.user('asha').context.resolve()).text, '')
  const rows = await Array.fromAsync(harness.module.exportRows({ namespace: 'test', id: 'asha' }))
  assert.deepEqual(
    rows.filter(({ type }) => type === 'consent').map(({ value }) => value),
    [{ enabled: false, actor: 'asha', at: '2026-01-01T12:00:00.000Z' }],
  )
  await user.context.setEnabled(true)
  await runCallbacks()
  assert.match((await other.user('asha').context.resolve()).text, /Asha/)
})

test('a person who has decided nothing is not written, and wrong arguments are rejected', async () => {
  await using harness = await openContextHarness()
  const { context } = harness.user('asha')
  await context.setEnabled(true)
  assert.equal((await harness.journal.read({ namespace: 'test', id: 'asha' })).exists, false)
  for (const [enabled, options] of [
    ['no', {}],
    [undefined, {}],
    [1, {}],
    [true, { actor: '' }],
  ] as const)
    await assert.rejects(context.setEnabled(enabled as boolean, options as object), { code: 'argument_invalid' })
  await assert.rejects(context.setEnabled(true, { actors: 'x' } as object), { code: 'option_unknown' })
})

test('as long as the choice cannot be read, nothing of the person is sent, and no source is called', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  let isDown = true
  let calls = 0
  const record: Store['users']['record'] = (...args) =>
    isDown ? Promise.reject(new Error('down')) : memory.users.record(...args)
  await using harness = await openContextHarness(
    {
      sources: {
        profile: async () => {
          calls++
          return { name: 'Asha' }
        },
      },
    },
    { store: { ...memory, users: { ...memory.users, record } } },
  )
  const { context } = harness.user('asha')
  const unknown = await context.explain()
  assert.equal(unknown.enabled, null)
  assert.doesNotMatch(unknown.text, /Asha/)
  assert.ok(unknown.sections.every(({ reason }) => reason === 'consent_unknown'))
  assert.equal(calls, 0)
  isDown = false
  await harness.clock.pass(1_000)
  assert.match((await context.resolve()).text, /Asha/)
})

test('a turn of a person whose context is switched off sends nothing about them', async () => {
  await using harness = await openTurnHarness()
  const ada = harness.user('ada')
  await ada.profile.put({ name: 'Ada' })
  await ada.context.setEnabled(false)
  const messages: ChatMessage[] = [
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: 'Hi' },
  ]
  const turn = await ada.turn({ messages })
  assert.ok(turn.allowed)
  await turn.completion()
  assert.equal(turn.context.status, 'default')
  assert.deepEqual(harness.upstream.requests[0]?.body.messages, messages)
  const { erased } = await ada.erase({ actor: 'test', reason: 'test' })
  assert.equal(erased.profile, 1)
  assert.equal((await ada.context.explain()).enabled, true, 'an erased person has decided nothing')
})
