import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Event, UsageSum } from '../../src/api/wire.ts'
import { lastChangeOf, sumDays, summarizeChanges } from '../../src/pages/user/recent-changes.ts'

let sequence = 0

function createEvent(fields: Partial<Event> & Pick<Event, 'type' | 'data'>): Event {
  sequence += 1
  const at = new Date(Date.UTC(2026, 10, 29, 0, sequence)).toISOString()
  return { id: String(sequence), sequence, user: 'ada', at, detail: '', mac: '', ...fields } as Event
}

/** Oldest first, as they happened. */
const history = [
  createEvent({ type: 'risk_change', data: { from: 'low', to: 'guarded' } }),
  createEvent({
    type: 'admin_action',
    actor: 'yuki',
    reason: 'Called',
    detail: 'corrected risk: guarded -> low',
    data: { action: 'correct', before: { riskLevel: 'guarded' }, after: { riskLevel: 'low' } },
  }),
  createEvent({ type: 'admin_action', actor: 'meera', data: { action: 'note' } }),
  createEvent({ type: 'limit_reached', data: { limit: 'tokens-5h', mode: 'enforce' } }),
  createEvent({ type: 'limit_reached', data: { limit: 'daily', mode: 'enforce' } }),
  createEvent({ type: 'limit_reached', data: { limit: 'daily', mode: 'enforce' } }),
  createEvent({ type: 'limit_reached', data: { limit: 'tokens-5h', mode: 'observe' } }),
  createEvent({
    type: 'admin_action',
    actor: 'tomas',
    reason: 'Exam',
    detail: 'rate limit: 8 -> 12 msgs/day',
    data: { action: 'cap', before: null, after: 12, old_cap: 8, new_cap: 12 },
  }),
  createEvent({ type: 'limit_change', actor: 'app', detail: 'limit tokens-5h: 5 -> 9', data: { limit: 'tokens-5h' } }),
]
const newestFirst = history.toReversed()

describe('what changed for a user', () => {
  const changes = summarizeChanges(newestFirst)

  it('has each value in order, also those that an operator has corrected', () => {
    assert.deepEqual(
      changes.risk.map(({ value }) => value),
      ['low', 'guarded', 'low'],
    )
    assert.equal(changes.risk[0]?.at, null)
    assert.equal(changes.risk[2]?.at, history[1]?.at)
    assert.deepEqual(changes.phase, [])
  })

  it('counts reached limits, but none that only observe', () => {
    assert.deepEqual(
      changes.reached.map(({ name, count }) => [name, count]),
      [
        ['daily', 2],
        ['tokens-5h', 1],
      ],
    )
  })

  it('says what people did, why, and how many notes they wrote', () => {
    assert.deepEqual(
      changes.actions.map(({ actor, text, reason }) => [actor, text, reason]),
      [
        ['app', 'Limit changed tokens-5h: 5 → 9', undefined],
        ['tomas', 'Daily cap 8 → 12 turns a day', 'Exam'],
        ['yuki', 'Correction risk: guarded → low', 'Called'],
      ],
    )
    assert.equal(changes.notes, 1)
  })

  it('finds the last change of each limit; the cap is the limit daily', () => {
    assert.equal(lastChangeOf(newestFirst, 'daily')?.actor, 'tomas')
    assert.equal(lastChangeOf(newestFirst, 'tokens-5h')?.actor, 'app')
    assert.equal(lastChangeOf(newestFirst, 'cost-month'), undefined)
  })

  it('adds up the days of a period', () => {
    const sums = ['2026-11-22', '2026-11-23', '2026-11-29'].map((key, index) => ({ key, turns: index + 1, refused: 1 }))
    assert.deepEqual(sumDays(sums as unknown as UsageSum[], { from: '2026-11-23', to: '9999' }), {
      turns: 5,
      refused: 2,
    })
    assert.deepEqual(sumDays(sums as unknown as UsageSum[], { from: '2026-11-01', to: '2026-11-23' }), {
      turns: 1,
      refused: 1,
    })
  })
})
