import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatDay, formatDuration, formatInstant, formatRelative, formatTime } from '../../src/time/format-time.ts'

const NOW = Date.parse('2026-11-20T12:00:00Z')
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

const formatAge = (ms: number): string => formatRelative(new Date(NOW - ms).toISOString(), NOW)

describe('time formats', () => {
  it('show past instants in coarse units, and as a date from 14 days on', () => {
    const ages = [0, 44_000, MINUTE_MS, 59 * MINUTE_MS, 2 * HOUR_MS, DAY_MS, 5 * DAY_MS, 40 * DAY_MS]
    assert.deepEqual(ages.map(formatAge), [
      'just now',
      'just now',
      '1 min ago',
      '59 min ago',
      '2 h ago',
      '1 day ago',
      '5 days ago',
      '11 Oct 2026',
    ])
  })

  it('show future instants as such', () => {
    assert.equal(formatAge(-3 * HOUR_MS), 'in 3 h')
    assert.equal(formatAge(-30_000), 'in a moment')
    assert.equal(formatAge(-2_000), 'just now', 'a clock that is slightly ahead')
  })

  it('use the requested time zone, also across a change of its clocks', () => {
    const berlin = { name: 'Europe/Berlin', label: 'Europe/Berlin' }
    assert.equal(formatTime('2026-10-25T00:30:00Z', berlin), '02:30:00')
    assert.equal(formatTime('2026-10-25T01:30:00Z', berlin), '02:30:00')
    assert.match(formatDay('2026-11-20T23:30:00Z', berlin), /^Saturday,? 21 November 2026$/)
    assert.match(formatInstant('2026-11-20T23:30:00Z', berlin), /^21 Nov 2026, 00:30:00 Europe\/Berlin$/)
  })

  it('show durations in at most two units', () => {
    const durations = [900, 59_000, 2 * MINUTE_MS, 90 * MINUTE_MS, 7_199_999, 3 * DAY_MS]
    assert.deepEqual(durations.map(formatDuration), ['1 s', '59 s', '2 min', '1 h 30 min', '2 h', '3 days'])
  })
})
