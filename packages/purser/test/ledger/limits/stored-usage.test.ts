import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { packCounters } from '../../../src/ledger/limits/counters.ts'
import { encodeUsage, parseStoredUsage } from '../../../src/ledger/limits/stored-usage.ts'
import { NO_USAGE, type Usage } from '../../../src/ledger/limits/usage.ts'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const DAYS = { messages: { '2026-03-09': 4, '2026-03-10': 2 }, inputTokens: { '2026-03-10': 7 } }
const MINUTES = { 'messages/minute': { [String(NOON / 60_000).padStart(9, '0')]: 3 } }
const byDay: Usage = {
  v: 1,
  seenAt: Date.parse('2026-03-10T00:00:00Z'),
  counters: packCounters([
    {
      name: 'daily',
      of: 'turns day',
      windows: [
        { name: '2026-03-09', from: Date.parse('2026-03-09T00:00:00Z'), used: 4 },
        { name: '2026-03-10', from: Date.parse('2026-03-10T00:00:00Z'), used: 2, inputTokens: 7 },
      ],
    },
  ]),
}
const byMinute: Usage = {
  v: 1,
  seenAt: NOON,
  counters: packCounters([{ name: 'daily', of: 'turns rolling24h', parts: [NOON / 1_000, 3] }]),
}

const CASES: readonly [name: string, window: 'day' | 'rolling24h', stored: unknown, expected: Usage][] = [
  ['days', 'day', DAYS, byDay],
  ['days, when minutes are counted now', 'rolling24h', DAYS, byDay],
  ['minutes', 'rolling24h', MINUTES, byMinute],
  ['minutes, when days are counted now', 'day', MINUTES, byMinute],
  ['both, of which the configured window goes on', 'day', { ...DAYS, ...MINUTES }, byDay],
  ['both, of which the configured window goes on', 'rolling24h', { ...DAYS, ...MINUTES }, byMinute],
  ['nothing', 'day', {}, NO_USAGE],
  ['the present format', 'day', JSON.parse(encodeUsage(byDay)), byDay],
]

describe('usage as stored until 0.1.0', () => {
  for (const [name, window, stored, expected] of CASES)
    it(`is read: ${name} (${window})`, () => {
      assert.deepEqual(parseStoredUsage({ window, timeZone: 'UTC' }, stored, { zone: null }), expected)
    })

  it('belongs to the days of the user', () => {
    const zone = { current: 'Asia/Tokyo', previous: null, effectiveAt: null, firstDate: null }
    const { seenAt } = parseStoredUsage({ window: 'day', timeZone: 'UTC' }, DAYS, { zone })
    assert.equal(seenAt, Date.parse('2026-03-09T15:00:00Z'))
  })
})
