import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Bond, Event } from '../../src/api/wire.ts'
import { buildTracks, type TimeRange } from '../../src/pages/user/timeline-tracks.ts'

const RANGE = { from: 0, to: 1_000 }

function createBond(fields: Partial<Bond> = {}): Bond {
  return { phase: 'dormant', riskLevel: 'low', blocked: null, ...fields } as Bond
}

function createEvent(sequence: number, at: number, fields: Pick<Event, 'type' | 'data'>): Event {
  const id = `e${sequence}`
  return { v: 1, id, user: 'ada', sequence, at: new Date(at).toISOString(), detail: '', mac: '', ...fields }
}

const phaseChange = (sequence: number, at: number, from: string, to: string): Event =>
  createEvent(sequence, at, { type: 'phase_transition', data: { from, to } })
const action = (sequence: number, at: number, data: Record<string, unknown>): Event =>
  createEvent(sequence, at, { type: 'admin_action', data })

/** The segments of one track as [from, to, value]. */
function segmentsOf(
  name: string,
  { bond = createBond(), events = [], range = RANGE }: { bond?: Bond; events?: Event[]; range?: TimeRange },
): unknown[] {
  const track = buildTracks(bond, events, range).find((candidate) => candidate.name === name)
  return (track?.segments ?? []).map(({ from, to, value }) => [from, to, value])
}

describe('timeline tracks', () => {
  it('show the current value when there are no changes', () => {
    assert.deepEqual(segmentsOf('Phase', {}), [[0, 1_000, 'dormant']])
  })

  it('begin with the old value of the first known change', () => {
    const events = [phaseChange(7, 600, 'b', 'c'), phaseChange(6, 300, 'a', 'b')]
    assert.deepEqual(segmentsOf('Phase', { bond: createBond({ phase: 'c' }), events }), [
      [0, 300, 'a'],
      [300, 600, 'b'],
      [600, 1_000, 'c'],
    ])
  })

  it('include corrections by operators', () => {
    const data = { action: 'correct', before: { riskLevel: 'high' }, after: { riskLevel: 'low' } }
    assert.deepEqual(segmentsOf('Risk', { events: [action(1, 400, data)] }), [
      [0, 400, 'high'],
      [400, 1_000, 'low'],
    ])
  })

  it('merge adjacent equal segments and clip to the range', () => {
    const events = [phaseChange(1, 100, 'a', 'b'), phaseChange(2, 200, 'b', 'b'), phaseChange(3, 800, 'b', 'a')]
    assert.deepEqual(segmentsOf('Phase', { events, range: { from: 500, to: 1_000 } }), [
      [500, 800, 'b'],
      [800, 1_000, 'a'],
    ])
  })

  it('show blocks until they are lifted, replaced or over', () => {
    const until = (at: number): object => ({ after: { until: new Date(at).toISOString() } })
    const events = [
      action(1, 100, { action: 'block', after: { until: null } }),
      action(2, 200, { action: 'unblock' }),
      action(3, 300, { action: 'block', ...until(400) }),
      action(4, 700, { action: 'block', after: { until: null } }),
    ]
    assert.deepEqual(segmentsOf('Blocked', { events }), [
      [100, 200, 'blocked'],
      [300, 400, 'blocked'],
      [700, 1_000, 'blocked'],
    ])
    assert.deepEqual(segmentsOf('Blocked', {}), [])
  })

  it('show the current block when its event is not loaded', () => {
    const blocked = { at: new Date(250).toISOString(), actor: 'a', reason: 'r', until: null }
    assert.deepEqual(segmentsOf('Blocked', { bond: createBond({ blocked }) }), [[250, 1_000, 'blocked']])
  })

  it('ignore events with malformed data', () => {
    const events = [action(1, 10, { action: 'correct' }), action(2, 20, { action: 'correct', before: null, after: 3 })]
    assert.deepEqual(segmentsOf('Phase', { events }), [[0, 1_000, 'dormant']])
  })
})
