import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatRequest } from '../../src/openai/chat.ts'
import type { Limit } from '../../src/options.ts'
import type { AnsweredTurn } from '../../src/turn/answered-turn.ts'
import type { Turn } from '../../src/turn/take-turn.ts'
import type { User } from '../../src/user.ts'
import { openTurnHarness } from '../support/turn-harness.ts'

function allowed(turn: Turn): AnsweredTurn {
  assert.ok(turn.allowed)
  return turn
}

const request: ChatRequest = { messages: [{ role: 'user', content: 'x'.repeat(400) }] }
const TOKENS: Limit = { name: 'tokens', measure: 'tokens', max: 1_000, window: 'day' }

async function stateOf(user: User, name: string) {
  const limit = (await user.ledger.limits()).find((candidate) => candidate.name === name)
  assert.ok(limit)
  return limit
}

test('a turn holds an estimate, which its usage replaces', async () => {
  await using harness = await openTurnHarness({ ledger: { limits: [TOKENS] } })
  const ada = harness.user('ada')
  const turn = allowed(await ada.turn(request))
  assert.equal(turn.admission.model, `${turn.settings.provider}/${turn.settings.model}`)
  const running = await stateOf(ada, 'tokens')
  assert.ok(Number(running.held) >= 100 + 512, String(running.held))
  const second = await ada.turn(request)
  assert.ok(!second.allowed)
  assert.deepEqual([second.admission.reason, second.admission.limit?.name], ['limit', 'tokens'])
  await turn.completion()
  const { held, used } = await stateOf(ada, 'tokens')
  assert.deepEqual([held, used], [0, 9])
})

test('a refusal names the limit, and tells clients whether to wait', async () => {
  const minute: Limit = { name: 'minute', measure: 'turns', max: 1, window: '1m' }
  await using harness = await openTurnHarness({ ledger: { limits: [minute, TOKENS] } })
  const ada = harness.user('ada')
  const first = allowed(await ada.turn(request)).toResponse()
  assert.equal(first.headers.get('x-ratelimit-limit-requests'), '1')
  assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '0')
  assert.equal(first.headers.get('x-ratelimit-limit-tokens'), '1000')
  assert.ok(Number(first.headers.get('x-ratelimit-remaining-tokens')) < 500)
  await first.text()
  const response = (await ada.turn(request)).toResponse()
  const { error } = (await response.json()) as { error: { code: string; limit: { name: string } } }
  assert.deepEqual([response.status, error.code, error.limit.name], [429, 'rate_limit_exceeded', 'minute'])
  assert.equal(response.headers.get('x-should-retry'), null)
  assert.ok(Number(response.headers.get('retry-after')) <= 60)
  await ada.ledger.setLimit('tokens', 10, { actor: 'ana' })
  await ada.ledger.setLimit('minute', null, { actor: 'ana' })
  const long = (await ada.turn(request)).toResponse()
  const body = (await long.json()) as { error: { code: string; limit: { measure: string; used: number } } }
  assert.deepEqual([long.status, body.error.code, body.error.limit.measure], [429, 'insufficient_quota', 'tokens'])
  assert.equal(long.headers.get('x-should-retry'), 'false')
  assert.equal(long.headers.get('x-ratelimit-limit-tokens'), '10')
})

test('a turn that a limit sends to another model runs there and says so', async () => {
  const limits: Limit[] = [
    { name: 'big', measure: 'turns', max: 1, window: 'day', models: ['local/m'], onLimit: { model: 'n' } },
  ]
  await using harness = await openTurnHarness({ ledger: { limits } })
  const ada = harness.user('ada')
  await allowed(await ada.turn(request)).completion()
  const turn = allowed(await ada.turn(request))
  assert.deepEqual([turn.admission.model, turn.admission.downgradedBy, turn.settings.model], ['local/n', 'big', 'n'])
  const response = turn.toResponse()
  assert.equal(response.headers.get('x-purser-downgraded'), 'big')
  assert.equal(response.headers.get('x-purser-model'), 'local/n')
  await response.text()
  assert.deepEqual(
    harness.upstream.requests.map(({ body }) => body.model),
    ['m', 'n'],
  )
})

test('an unknown model counts nothing, and what fails gives its hold back', async () => {
  const slots: Limit = { name: 'slots', measure: 'concurrent', max: 1 }
  await using harness = await openTurnHarness({ ledger: { dailyCap: 5, limits: [TOKENS, slots] } })
  const ada = harness.user('ada')
  await assert.rejects(ada.turn({ ...request, model: 'nowhere/x' }), { code: 'model_not_found' })
  assert.equal((await ada.ledger.bond()).exists, false)
  harness.upstream.answer = (response) => response.writeHead(500).end('{}')
  await assert.rejects(ada.turn(request))
  const { held, used } = await stateOf(ada, 'tokens')
  assert.deepEqual([held, used, (await stateOf(ada, 'slots')).used, (await ada.ledger.quota()).count], [0, 0, 0, 0])
})

test('tool calls in an answer are counted, streamed or not', async () => {
  const calls: Limit = { name: 'calls', measure: 'toolCalls', max: 10, window: 'day' }
  await using harness = await openTurnHarness({ ledger: { limits: [calls] } })
  const ada = harness.user('ada')
  const call = { id: 'c', type: 'function', function: { name: 'find', arguments: '{}' } }
  const completion = {
    id: 'x',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [
      {
        index: 0,
        finish_reason: 'tool_calls',
        message: { role: 'assistant', content: null, tool_calls: [call, { ...call, id: 'd' }] },
      },
    ],
  }
  harness.upstream.answer = (response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(completion))
  await allowed(await ada.turn(request)).completion()
  assert.equal((await stateOf(ada, 'calls')).used, 2)
  harness.upstream.answer = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = (delta: object) =>
      response.write(`data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`)
    chunk({ tool_calls: [{ index: 0, id: 'e', function: { name: 'find', arguments: '' } }] })
    chunk({ tool_calls: [{ index: 0, function: { arguments: '{}' } }] })
    response.end('data: [DONE]\n\n')
  }
  await Array.fromAsync(allowed(await ada.turn({ ...request, stream: true })).chunks)
  assert.equal((await stateOf(ada, 'calls')).used, 3)
})
