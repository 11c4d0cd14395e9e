import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPurser } from '../../src/index.ts'
import { handClock } from '../../src/testing/index.ts'

test('stored answers of a user are counted with their bytes and dates, without expired and shared ones', async () => {
  const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
  await using purser = await openPurser({ store: 'memory:', effects: clock })
  const { answers } = purser.user('ada')
  assert.deepEqual(await answers.stored(), { answers: 0, bytes: 0, oldestAt: null, newestAt: null })
  await answers.remember('first', () => 'four')
  clock.advance(60_000)
  await answers.remember('short', () => 'é', { ttlMs: 30_000 })
  await answers.remember('shared', () => 'all', { scope: 'namespace' })
  await purser.user('linus').answers.remember('first', () => 'other')
  const first = { oldestAt: '2026-03-10T12:00:00.000Z', newestAt: '2026-03-10T12:01:00.000Z' }
  assert.deepEqual(await answers.stored(), { answers: 2, bytes: '"four"'.length + 4, ...first })
  clock.advance(60_000)
  assert.deepEqual(await answers.stored(), { answers: 1, bytes: 6, oldestAt: first.oldestAt, newestAt: first.oldestAt })
  await answers.forget()
  assert.equal((await answers.stored()).answers, 0)
})
