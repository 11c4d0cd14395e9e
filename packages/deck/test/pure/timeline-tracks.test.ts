import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Bond } from 'purser'
import type { LedgerEvent } from '../../src/api/responses.ts'
import { buildTracks } from '../../src/pages/user/timeline-tracks.ts'

const SPAN = { from: 0, to: 1_000 }

function bond(fields: Partial<Bond> = {}): Bond {
  return { phase: 'dormant', riskLevel: 'low', blocked: null, ...fields } as Bond
}

function event(sequence: number, at: number, fields: Pick<LedgerEvent, 'type' | 'data'>): LedgerEvent {
  return {
    v: 1,
    id: `e${sequence}`,
    user: 'ada',
    sequence,
    at: new Date(at).toISOString(),
    detail: '',
    mac: '',
    ...fields,
  }
}

const phase = (sequence: number, at: number, from: string, to: string): LedgerEvent =>
  event(sequence, at, { type: 'phase_transition', data: { from, to } })
const action = (sequence: number, at: number, data: Record<string, unknown>): LedgerEvent =>
  event(sequence, at, { type: 'admin_action', data })

function lane(name: string, subject: Bond, events: readonly LedgerEvent[], span = SPAN): unknown[] {
  const found = buildTracks(subject, events, span).find((one) => one.name === name)
  return (found?.segments ?? []).map(({ from, to, value }) => [from, to, value])
}

describe('the lanes of the timeline', () => {
  it('show what holds now when nothing ever changed', () => {
    assert.deepEqual(lane('Phase', bond(), []), [[0, 1_000, 'dormant']])
  })

  it('begin with what the first known change says was before', () => {
    const events = [phase(7, 600, 'b', 'c'), phase(6, 300, 'a', 'b')]
    assert.deepEqual(lane('Phase', bond({ phase: 'c' }), events), [
      [0, 300, 'a'],
      [300, 600, 'b'],
      [600, 1_000, 'c'],
    ])
  })

  it('take corrections by a person for what they are', () => {
    const data = { action: 'correct', before: { riskLevel: 'high' }, after: { riskLevel: 'low' } }
    assert.deepEqual(lane('Risk', bond(), [action(1, 400, data)]), [
      [0, 400, 'high'],
      [400, 1_000, 'low'],
    ])
  })

  it('join equal neighbours and clip to the range', () => {
    const events = [phase(1, 100, 'a', 'b'), phase(2, 200, 'b', 'b'), phase(3, 800, 'b', 'a')]
    assert.deepEqual(lane('Phase', bond(), events, { from: 500, to: 1_000 }), [
      [500, 800, 'b'],
      [800, 1_000, 'a'],
    ])
  })

  it('show blocks until they were lifted, replaced or ran out', () => {
    const until = (at: number): object => ({ after: { until: new Date(at).toISOString() } })
    const events = [
      action(1, 100, { action: 'block', after: { until: null } }),
      action(2, 200, { action: 'unblock' }),
      action(3, 300, { action: 'block', ...until(400) }),
      action(4, 700, { action: 'block', after: { until: null } }),
    ]
    assert.deepEqual(lane('Blocked', bond(), events), [
      [100, 200, 'blocked'],
      [300, 400, 'blocked'],
      [700, 1_000, 'blocked'],
    ])
    assert.deepEqual(lane('Blocked', bond(), []), [])
  })

  it('know of a block whose event is not loaded', () => {
    const blocked = { at: new Date(250).toISOString(), actor: 'a', reason: 'r', until: null }
    assert.deepEqual(lane('Blocked', bond({ blocked }), []), [[250, 1_000, 'blocked']])
  })

  it('survive events whose data says nothing', () => {
    const odd = [action(1, 10, { action: 'correct' }), action(2, 20, { action: 'correct', before: null, after: 3 })]
    assert.deepEqual(lane('Phase', bond(), odd), [[0, 1_000, 'dormant']])
  })
})
