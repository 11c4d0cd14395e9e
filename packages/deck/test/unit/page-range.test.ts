import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatPageRange, isWithin, parsePageRange } from '../../src/pages/user/page-range.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const NOW = Date.parse('2026-11-30T12:00:00Z')
const EXTENT = { from: NOW - 20 * DAY_MS, to: NOW }

describe('the range of a user’s page', () => {
  it('is a preset that ends now, at most all of the time', () => {
    assert.deepEqual(parsePageRange('week', EXTENT), { from: NOW - 7 * DAY_MS, to: NOW, preset: 'week' })
    assert.deepEqual(parsePageRange('month', EXTENT), { ...EXTENT, preset: 'month' })
    assert.deepEqual(parsePageRange('', EXTENT), { ...EXTENT, preset: '' })
  })

  it('is what the brush has chosen, through the address and back', () => {
    const chosen = { from: NOW - 5 * DAY_MS + 7 * MINUTE_MS, to: NOW - DAY_MS }
    assert.deepEqual(parsePageRange(formatPageRange(chosen), EXTENT), { ...chosen, preset: null })
  })

  it('is cut to the extent, and everything where it makes no sense', () => {
    const wide = formatPageRange({ from: NOW - 40 * DAY_MS, to: NOW + DAY_MS })
    assert.deepEqual(parsePageRange(wide, EXTENT), { ...EXTENT, preset: null })
    const reversed = formatPageRange({ from: NOW, to: NOW - DAY_MS })
    const outside = formatPageRange({ from: NOW - 90 * DAY_MS, to: NOW - 80 * DAY_MS })
    for (const text of [reversed, outside, 'x', '~', 'x~y', '<script>']) {
      assert.equal(parsePageRange(text, EXTENT).preset, '', text)
    }
  })

  it('contains its ends', () => {
    const range = { from: NOW - DAY_MS, to: NOW }
    const at = (instant: number): boolean => isWithin(new Date(instant).toISOString(), range)
    assert.deepEqual([at(NOW), at(NOW - DAY_MS), at(NOW + 1), at(NOW - DAY_MS - 1)], [true, true, false, false])
  })
})
