import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Bond, Event } from '../../src/api/wire.ts'
import { buildTracks, type TracksOptions } from '../../src/pages/user/timeline-tracks.ts'

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

const reached = (sequence: number, at: number, limit: string, resetAt: number, data: object = {}): Event =>
  createEvent(sequence, at, {
    type: 'limit_reached',
    data: { limit, measure: 'turns', max: 5, mode: 'enforce', resetAt: new Date(resetAt).toISOString(), ...data },
  })

/** The segments of one track as [from, to, value]. */
function segmentsOf(
  name: string,
  { bond = createBond(), events = [], range = RANGE, isCurrent = true }: Partial<TracksOptions>,
): unknown[] {
  const track = buildTracks({ bond, events, range, isCurrent }).find((candidate) => candidate.name === name)
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

  it('begin with the last change before the range, and are empty where nothing is known', () => {
    const range = { from: 400, to: 600 }
    const bond = createBond({ phase: 'z' })
    assert.deepEqual(segmentsOf('Phase', { bond, range, isCurrent: false }), [])
    const events = [phaseChange(3, 100, 'a', 'b')]
    assert.deepEqual(segmentsOf('Phase', { bond, events, range, isCurrent: false }), [[400, 600, 'b']])
  })

  it('show limits from where they are reached to their reset', () => {
    const events = [reached(1, 100, 'daily', 400), reached(2, 500, 'daily', 5_000)]
    assert.deepEqual(segmentsOf('Limits', { events }), [
      [100, 400, 'daily'],
      [500, 1_000, 'daily'],
    ])
    assert.deepEqual(segmentsOf('Limits', {}), [])
  })

  it('end the period of a limit that is raised, whose use is reset, or whose plan changes', () => {
    const end = (type: string, data: Record<string, unknown>): unknown[] =>
      segmentsOf('Limits', { events: [reached(1, 100, 'daily', 900), createEvent(2, 300, { type, data })] })
    const ended = [[100, 300, 'daily']]
    const goesOn = [[100, 900, 'daily']]
    assert.deepEqual(end('limit_change', { limit: 'daily', override: { max: 6 }, before: null }), ended)
    assert.deepEqual(end('limit_change', { limit: 'daily', override: { max: null }, before: null }), ended)
    assert.deepEqual(end('limit_change', { limit: 'daily', reset: true }), ended)
    assert.deepEqual(end('plan_change', { before: null, after: 'pro' }), ended)
    assert.deepEqual(end('admin_action', { action: 'cap', old_cap: 5, new_cap: 0 }), ended)
    assert.deepEqual(end('admin_action', { action: 'cap', old_cap: 5, new_cap: 6 }), ended)
    assert.deepEqual(end('admin_action', { action: 'cap', old_cap: 5, new_cap: 4 }), goesOn)
    assert.deepEqual(end('limit_change', { limit: 'daily', override: { max: 4 }, before: null }), goesOn)
    assert.deepEqual(end('limit_change', { limit: 'daily', override: null, before: { max: 4 } }), goesOn)
    assert.deepEqual(end('limit_change', { limit: 'daily', own: { max: 3 }, before: null }), goesOn)
    assert.deepEqual(end('limit_change', { limit: 'tokens', reset: true }), goesOn)
  })

  it('compare money as it is in events with money as it is stored', () => {
    const money = { measure: 'cost', max: '1.5' }
    const raised = (max: number | string): unknown[] =>
      segmentsOf('Limits', {
        events: [
          reached(1, 100, 'cost', 900, money),
          createEvent(2, 300, { type: 'limit_change', data: { limit: 'cost', override: { max } } }),
        ],
      })
    assert.deepEqual(raised(1_400_000_000), [[100, 900, 'cost']])
    assert.deepEqual(raised(1_600_000_000), [[100, 300, 'cost']])
    assert.deepEqual(raised('10000000000000000'), [[100, 300, 'cost']])
  })

  it('name all limits that are reached at once, and say which only observe', () => {
    const events = [reached(1, 100, 'daily', 700), reached(2, 300, 'tokens', 500, { mode: 'observe' })]
    assert.deepEqual(segmentsOf('Limits', { events }), [
      [100, 300, 'daily'],
      [300, 500, 'daily, tokens (observed)'],
      [500, 700, 'daily'],
    ])
  })

  it('show no period of a limit whose reset is not known', () => {
    const data = { limit: 'slots', measure: 'concurrent', max: 1, resetAt: null }
    assert.deepEqual(segmentsOf('Limits', { events: [createEvent(1, 100, { type: 'limit_reached', data })] }), [])
    assert.deepEqual(segmentsOf('Limits', { events: [createEvent(1, 100, { type: 'limit_reached', data: {} })] }), [])
  })

  it('ignore events with malformed data', () => {
    const events = [action(1, 10, { action: 'correct' }), action(2, 20, { action: 'correct', before: null, after: 3 })]
    assert.deepEqual(segmentsOf('Phase', { events }), [[0, 1_000, 'dormant']])
  })
})
