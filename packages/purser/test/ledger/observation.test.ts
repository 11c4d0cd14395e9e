import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openLedgerHarness } from '../support/ledger-harness.ts'

describe('observe', () => {
  it('returns the events it wrote in one commit, with one timestamp, and the bond after them (BL-16, BL-19)', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const { bond, events, outcome } = await ann.observe({ phase: 'warm', riskLevel: 'high' })
    assert.equal(outcome, 'applied')
    const at = '2026-03-10T12:00:00.000Z'
    assert.deepEqual(
      events.map((event) => [event.type, event.at, event.sequence]),
      [
        ['phase_transition', at, 1],
        ['risk_change', at, 2],
      ],
    )
    assert.deepEqual((await ann.events()).toReversed(), events)
    assert.equal((await harness.store.users.load({ namespace: 'default', id: 'ann' }))?.revision, 1)
    assert.deepEqual([bond.previousPhase, bond.phaseEnteredAt, bond.version], ['dormant', at, 2])
    assert.deepEqual(bond.head, { sequence: 2, mac: events[1]?.mac })
  })

  it('of concurrent equal observations only the first writes the transition (BL-D19)', async () => {
    await using harness = await openLedgerHarness()
    const results = await Promise.all([1, 2, 3].map(() => harness.user('ann').observe({ phase: 'warm' })))
    assert.deepEqual(results.map(({ events }) => events.length).sort(), [0, 0, 1])
  })

  it('is applied once per idempotency key', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const first = await ann.observe({ phase: 'warm' }, { idempotencyKey: 'k' })
    await ann.observe({ phase: 'cold' })
    assert.deepEqual(await ann.observe({ phase: 'warm' }, { idempotencyKey: 'k' }), { ...first, outcome: 'replayed' })
    await assert.rejects(ann.observe({ phase: 'hot' }, { idempotencyKey: 'k' }), { code: 'idempotency_conflict' })
    assert.equal((await ann.bond()).phase, 'cold')
  })

  it('returns a copy of what is cached (BL-D11)', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const { bond } = await ann.observe({}, { peaks: { joy: 1 } })
    Object.assign(bond.peaks.joy as object, { value: 99 })
    assert.equal((await ann.bond()).peaks.joy?.value, 1)
  })
})

describe('a detection', () => {
  it('accepts only declared labels, and suggests the closest one', async () => {
    await using harness = await openLedgerHarness({
      phases: ['calm', 'drawn', 'bound'],
      riskLevels: ['none', 'some'],
    })
    const ann = harness.user('ann')
    assert.deepEqual([(await ann.bond()).phase, (await ann.bond()).riskLevel], ['calm', 'none'])
    await assert.rejects(ann.observe({ phase: 'drown' }), {
      code: 'detection_invalid',
      hint: "Did you mean 'drawn'? Valid values: calm, drawn, bound.",
    })
    await assert.rejects(ann.observe({ riskLevel: 'extreme' }), {
      code: 'detection_invalid',
      hint: 'Valid values: none, some.',
    })
    await assert.rejects(ann.correct({ phase: 'drown' }, { actor: 'ana', reason: 'x' }), { code: 'detection_invalid' })
    assert.equal((await ann.observe({ phase: 'bound' })).bond.previousPhase, 'calm')
  })

  const INVALID: readonly unknown[] = [
    null,
    [],
    { phaze: 'x' },
    { phase: '' },
    { phase: null },
    { phase: 'x'.repeat(65) },
    { phase: '\ud800' },
    { confidence: 2 },
    { confidence: '1' },
    { turnCount: -1 },
    { turnCount: 1.5 },
    { at: 'yesterday' },
    { at: '2026-03-10' },
    { source: 'x' },
    { source: { name: '' } },
    { evidence: 'x'.repeat(17_000) },
    { evidence: 1n },
  ]
  it('is rejected before anything is written (BL-D13, BL-D16)', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    for (const [index, detection] of INVALID.entries())
      await assert.rejects(ann.observe(detection as never), { code: 'detection_invalid' }, `entry ${index}`)
    assert.equal((await ann.bond()).exists, false)
  })

  it('has at most 64 peaks of 64 bytes, which are finite numbers', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const nodes = (count: number, prefix: string): Record<string, number> =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, 1]))
    await ann.observe({}, { peaks: { ...nodes(63, 'n'), ['é'.repeat(32)]: 1 } })
    for (const peaks of [
      nodes(1, 'm'),
      nodes(65, 'n'),
      { ['é'.repeat(33)]: 1 },
      { '': 1 },
      { x: Number.NaN },
      { x: '1' },
      [],
    ])
      await assert.rejects(ann.observe({ phase: 'warm' }, { peaks: peaks as Record<string, number> }), {
        code: 'detection_invalid',
      })
    assert.equal((await ann.bond()).phase, 'dormant')
    assert.equal((await ann.observe({}, { peaks: { n1: 2 } })).outcome, 'applied')
  })
})
