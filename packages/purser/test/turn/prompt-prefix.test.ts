import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Diagnostics, onDiagnostic } from '../../src/index.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'
import { openTurnHarness } from '../support/turn-harness.ts'

const request: ChatRequest = { messages: [{ role: 'user', content: 'Hi' }] }

test('a turn reports whether its prefix equals the last one of its session, what the upstream had cached, and its sections', async () => {
  await using harness = await openTurnHarness()
  const { upstream } = harness
  upstream.answer = (response) => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 2,
      total_tokens: 102,
      prompt_tokens_details: { cached_tokens: 80 },
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    const message = { role: 'assistant', content: 'Hello' }
    response.end(
      JSON.stringify({
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [{ index: 0, message, finish_reason: 'stop' }],
        usage,
      }),
    )
  }
  const turns: Diagnostics['turn'][] = []
  const stop = onDiagnostic('turn', (turn) => turns.push(turn))
  const ada = harness.user('ada')
  const take = async (session?: string): Promise<string | null | undefined> => {
    const turn = await ada.turn(request, { session })
    assert.ok(turn.allowed)
    await turn.completion()
    return turns.at(-1)?.prefix
  }
  await ada.profile.put({ name: 'Ada' })
  assert.deepEqual(
    [await take('a'), await take('a'), await take('b'), await take()],
    ['first', 'same', 'first', 'first'],
  )
  await ada.profile.put({ name: 'Bob' })
  assert.deepEqual([await take('a'), await take('a'), await take('b')], ['changed', 'same', 'changed'])
  const { inputTokens, cachedTokens, context } = turns.at(-1) ?? assert.fail()
  assert.deepEqual([inputTokens, cachedTokens], [100, 80])
  assert.deepEqual(
    context.map(({ section, status, cut }) => [section, status, cut]),
    [
      ['profile', 'fresh', 0],
      ['actions', 'empty', 0],
    ],
  )
  assert.ok((context[0]?.tokens ?? 0) > 0 && (context[0]?.ageMs ?? -1) >= 0)
  assert.ok(!JSON.stringify(turns).includes('Bob'), 'no stored content in diagnostics')
  stop()
})

test('a section that is stable for the session stays as it is in its turns, until the session ends', async () => {
  let version = 0
  await using harness = await openTurnHarness({
    context: { ttlMs: 0, sections: { facts: { source: async () => `version ${++version}`, stability: 'session' } } },
  })
  const ada = harness.user('ada')
  const take = async (session: string): Promise<string | undefined> => {
    const turn = await ada.turn(request, { session })
    assert.ok(turn.allowed)
    await turn.completion()
    return /version \d+/.exec(String(harness.upstream.requests.at(-1)?.body.messages[0]?.content))?.[0]
  }
  const first = await take('a')
  assert.equal(await take('a'), first)
  await ada.context.resolve({ maxAgeMs: 0 })
  assert.notEqual(await take('b'), first)
  assert.equal(await take('a'), first)
  await ada.runtime.startSession('a', { policy: 'follow' })
  await ada.runtime.endSession('a')
  assert.notEqual(await take('a'), first)
})
