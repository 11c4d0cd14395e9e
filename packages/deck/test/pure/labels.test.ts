import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Overview } from '../../src/api/responses.ts'
import { buildVocabulary } from '../../src/api/vocabulary.ts'
import { formatBytes, pluralize } from '../../src/format-number.ts'
import { labelOf } from '../../src/pages/user/event-labels.ts'
import { verificationMessage } from '../../src/pages/user/verification-message.ts'
import { findNewRows, mergeRows } from '../../src/pages/users/stable-order.ts'
import { formatDay, formatDuration, formatInstant, formatRelative, formatTime } from '../../src/time/format-time.ts'

const NOW = Date.parse('2026-11-20T12:00:00Z')
const ago = (ms: number): string => formatRelative(new Date(NOW - ms).toISOString(), NOW)

describe('instants', () => {
  it('are told coarsely, and as a date when they are long gone', () => {
    const told = [0, 44_000, 60_000, 3_540_000, 7_200_000, 86_400_000, 5 * 86_400_000, 40 * 86_400_000].map(ago)
    assert.deepEqual(told, [
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

  it('that are ahead are told as such', () => {
    assert.equal(ago(-3 * 3_600_000), 'in 3 h')
    assert.equal(ago(-30_000), 'in a moment')
    assert.equal(ago(-2_000), 'just now', 'a clock that is a little ahead is no future')
  })

  it('are told in the zone that is asked for, across a change of its clock', () => {
    const berlin = { name: 'Europe/Berlin', label: 'Europe/Berlin' }
    assert.equal(formatTime('2026-10-25T00:30:00Z', berlin), '02:30:00')
    assert.equal(formatTime('2026-10-25T01:30:00Z', berlin), '02:30:00')
    assert.match(formatDay('2026-11-20T23:30:00Z', berlin), /^Saturday,? 21 November 2026$/)
    assert.match(formatInstant('2026-11-20T23:30:00Z', berlin), /^21 Nov 2026, 00:30:00 Europe\/Berlin$/)
  })

  it('have lengths', () => {
    assert.deepEqual([900, 59_000, 120_000, 5_400_000, 7_199_999, 3 * 86_400_000].map(formatDuration), [
      '1 s',
      '59 s',
      '2 min',
      '1 h 30 min',
      '2 h',
      '3 days',
    ])
  })
})

describe('figures', () => {
  it('are told with their unit', () => {
    assert.deepEqual(
      [pluralize(1, 'user'), pluralize(1_204, 'user'), pluralize(0, 'user')],
      ['1 user', '1,204 users', '0 users'],
    )
    assert.deepEqual([0, 999, 1_000, 268_435_456].map(formatBytes), ['0 B', '999 B', '1.0 kB', '268 MB'])
  })
})

describe('the verdict on a log', () => {
  it('counts what was checked when all is well', () => {
    assert.equal(verificationMessage({ ok: true, checked: 1 }), 'The log is whole: 1 event checked.')
  })

  it('names the problem, and the event when it is about a single one', () => {
    const verdict = (firstBad: { sequence?: number; problem: string }): string =>
      verificationMessage({ ok: false, checked: 3, firstBad })
    assert.equal(
      verdict({ sequence: 4, problem: 'An event is missing.' }),
      'The log is broken at event 4: An event is missing.',
    )
    assert.equal(verdict({ problem: 'The state cannot be read.' }), 'The log is broken: The state cannot be read.')
  })
})

describe('the vocabulary', () => {
  const overview = (fields: Partial<Overview>): Overview => ({
    users: 0,
    blocked: 0,
    phases: {},
    riskLevels: {},
    ...fields,
  })

  it('keeps a declared order and adds what is in use besides', () => {
    const words = buildVocabulary(
      overview({
        phases: { old: 1, steady: 2 },
        vocabulary: { phases: ['new', 'steady'], riskLevels: ['green', 'red'] },
      }),
    )
    assert.deepEqual(words.phases, ['new', 'steady', 'old'])
    assert.deepEqual([words.rankOf('green'), words.rankOf('red'), words.rankOf('blue'), words.steps], [0, 1, null, 2])
  })

  it('orders undeclared risk as people expect, and claims no order for words it does not know', () => {
    const words = buildVocabulary(overview({ riskLevels: { high: 1, odd: 1, low: 1, medium: 1 } }))
    assert.deepEqual(words.riskLevels, ['low', 'medium', 'high', 'odd'])
    assert.deepEqual(['low', 'medium', 'high', 'critical', 'odd'].map(words.rankOf), [0, 1, 2, 3, null])
  })

  it('gives phases different hues, and the quiet one to the first', () => {
    const words = buildVocabulary(overview({ phases: { dormant: 1, a: 1, b: 1, c: 1 } }))
    assert.deepEqual(words.phases.map(words.hueOf), [0, 1, 2, 3])
  })

  it('calls every event by a name', () => {
    assert.equal(labelOf({ type: 'admin_action', data: { action: 'time_zone' } }).name, 'Time zone')
    assert.equal(labelOf({ type: 'admin_action', data: { action: 'set_secret' } }).name, 'Set secret')
    assert.deepEqual(labelOf({ type: 'shop:bought', data: {} }), { name: 'shop:bought', kind: 'application' })
  })
})

describe('the arrangement of a live list', () => {
  const keyOf = (row: { key: string }): string => row.key
  const rows = (text: string): { key: string; from: string }[] => [...text].map((key) => ({ key, from: text }))

  it('follows the fresh order while nobody reads', () => {
    const { rows: shown, pendingCount } = mergeRows(rows('abc'), rows('dab'), { keepOrder: false, keyOf })
    assert.deepEqual([shown.map(keyOf).join(''), pendingCount], ['dab', 0])
  })

  it('keeps rows in place with fresh values while somebody reads, and counts who waits', () => {
    const { rows: shown, pendingCount } = mergeRows(rows('abc'), rows('dba'), { keepOrder: true, keyOf })
    assert.deepEqual([shown.map(keyOf).join(''), pendingCount], ['abc', 1])
    assert.deepEqual(
      shown.map(({ from }) => from),
      ['dba', 'dba', 'abc'],
    )
  })

  it('tells who came, but not on the first look', () => {
    assert.deepEqual(findNewRows(undefined, rows('ab'), keyOf), [])
    assert.deepEqual(findNewRows(rows('ab'), rows('cab'), keyOf).map(keyOf), ['c'])
  })
})
