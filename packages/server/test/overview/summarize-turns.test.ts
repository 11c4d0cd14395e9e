import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TurnRecord } from 'purser'
import { summarizeTurns } from '../../src/overview/summarize-turns.ts'
import { openServerHarness } from '../support/server-harness.ts'

test('all pages of the turns of a user are added up', async () => {
  const prefixes = ['first', 'same', 'same', 'changed', null] as const
  const records = Array.from({ length: 2_345 }, (_, index) => ({
    id: String(index),
    prefix: prefixes[index % prefixes.length],
    inputTokens: 10,
    cachedTokens: index % 2,
  })) as unknown as TurnRecord[]
  const asked: unknown[] = []
  const summary = await summarizeTurns({
    async turns({ limit = 0, before, outcome } = {}) {
      asked.push(outcome)
      const start = before === undefined ? 0 : Number(before) + 1
      return records.slice(start, start + limit)
    },
  })
  assert.deepEqual(summary, {
    turns: 2_345,
    prefixes: { first: 469, same: 938, changed: 469 },
    inputTokens: 23_450,
    cachedTokens: 1_172,
  })
  assert.deepEqual(asked, ['completed', 'completed', 'completed'])
})

test('the summary of a user is a route, and leaves out what was refused', async () => {
  await using harness = await openServerHarness({ config: { ledger: { dailyCap: 3 } } })
  const ada = harness.user('ada')
  for (let turn = 0; turn < 5; turn++) {
    const answered = await ada.turn({ messages: [{ role: 'user', content: 'Hi' }] }, { session: 's' })
    if (answered.allowed) await answered.completion()
  }
  const response = await harness.call('GET', '/api/users/ada/turns/summary')
  assert.equal(response.statusCode, 200)
  const { turns, prefixes } = response.json()
  assert.deepEqual([turns, prefixes], [3, { first: 1, same: 2, changed: 0 }])
  assert.equal((await harness.call('GET', '/api/users/unknown/turns/summary')).json().turns, 0)
})
