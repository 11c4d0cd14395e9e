import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatPageRange, isWithin, parsePageRange } from '../../src/pages/user/page-range.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const NOW = Date.parse('2026-11-30T12:00:00Z')
const EXTENT = { from: NOW - 20 * DAY_MS, to: NOW }

describe('the range of a user’s page', () => {
  it('is a preset that ends now, at most all of the time', () => {
    assert.deepEqual(parsePageRange('week', EXTENT), {
      from: NOW - 7 * DAY_MS,
      to: NOW,
      preset: 'week',
      period: { from: '2026-11-23T12:00:00.000Z' },
    })
    const month = { ...EXTENT, preset: 'month', period: { from: '2026-10-31T12:00:00.000Z' } }
    assert.deepEqual(parsePageRange('month', EXTENT), month)
    assert.deepEqual(parsePageRange('', EXTENT), { ...EXTENT, preset: '', period: {} })
  })

  it('begins at a full hour, so that the clock of the page does not change what is asked for', () => {
    const later = parsePageRange('day', { from: EXTENT.from, to: NOW + 59 * MINUTE_MS })
    assert.deepEqual(later.period, { from: '2026-11-29T12:00:00.000Z' })
    assert.equal(later.from, NOW - DAY_MS)
  })

  it('is what the brush has chosen, through the address and back', () => {
    const chosen = { from: NOW - 5 * DAY_MS + 7 * MINUTE_MS, to: NOW - DAY_MS }
    assert.deepEqual(parsePageRange(formatPageRange(chosen), EXTENT), {
      ...chosen,
      preset: null,
      period: { from: '2026-11-25T12:07:00.000Z', to: '2026-11-29T12:00:00.000Z' },
    })
  })

  it('has an address of whole minutes around it', () => {
    const text = formatPageRange({ from: NOW + 1_000, to: NOW + 2_000 })
    assert.equal(text, '2026-11-30T12:00Z~2026-11-30T12:01Z')
  })

  it('is cut to the extent, and everything where it makes no sense', () => {
    const wide = formatPageRange({ from: NOW - 40 * DAY_MS, to: NOW + DAY_MS })
    const { period, ...cut } = parsePageRange(wide, EXTENT)
    assert.deepEqual(cut, { ...EXTENT, preset: null })
    assert.deepEqual(period, { from: '2026-10-21T12:00:00.000Z', to: '2026-12-01T12:00:00.000Z' })
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
