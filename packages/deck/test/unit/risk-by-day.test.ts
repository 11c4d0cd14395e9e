import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findRiskByDay, weekdayOf } from '../../src/pages/user/risk-by-day.ts'

const at = Date.parse
const RANKS = ['low', 'medium', 'high']
const DAYS = ['2026-11-26', '2026-11-27', '2026-11-28', '2026-11-29']

describe('risk by day', () => {
  const segments = [
    { from: at('2026-11-27T01:00:00Z'), to: at('2026-11-28T20:00:00Z'), value: 'medium', sequence: 1 },
    { from: at('2026-11-28T20:00:00Z'), to: at('2026-11-28T21:00:00Z'), value: 'high', sequence: 2 },
    { from: at('2026-11-28T21:00:00Z'), to: at('2026-11-29T12:00:00Z'), value: 'low', sequence: 3 },
  ]
  const rankOf = (level: string): number | null => RANKS.indexOf(level)

  it('is the highest level of the day, null before anything is known', () => {
    const levels = findRiskByDay(segments, DAYS, { timeZone: 'UTC', rankOf }).map(({ level }) => level)
    assert.deepEqual(levels, [null, 'medium', 'high', 'low'])
  })

  it('counts days in the zone of the user', () => {
    const levels = findRiskByDay(segments, DAYS, { timeZone: 'Asia/Tokyo', rankOf }).map(({ level }) => level)
    assert.deepEqual(levels, [null, 'medium', 'medium', 'high'])
  })

  it('knows the days of the week, Monday first', () => {
    assert.deepEqual(DAYS.map(weekdayOf), [3, 4, 5, 6])
    assert.equal(weekdayOf('2026-11-30'), 0)
  })
})
