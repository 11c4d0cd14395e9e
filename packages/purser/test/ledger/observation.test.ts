import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openHouse } from '../support/ledger-harness.ts'

describe('observation', () => {
  it('that changes phase and risk gives exactly two events, in order, in one commit, under one timestamp (BL-16, BL-18, BL-19)', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    const source = { name: 'detector', version: '2.1' }
    const { bond, events, outcome } = await ann.observe({
      phase: 'warm',
      riskLevel: 'high',
      confidence: 0.81,
      primarySignal: 'late nights',
      source,
      evidence: ['s-1', 's-2'],
    })
    assert.equal(outcome, 'applied')
    assert.deepEqual(
      events.map(({ type, detail, at, sequence, data }) => ({ type, detail, at, sequence, data })),
      [
        {
          type: 'phase_transition',
          detail: 'dormant -> warm',
          at: '2026-03-10T12:00:00.000Z',
          sequence: 1,
          data: {
            from: 'dormant',
            to: 'warm',
            confidence: 0.81,
            primary_signal: 'late nights',
            source,
            evidence: ['s-1', 's-2'],
          },
        },
        {
          type: 'risk_change',
          detail: 'risk: low -> high',
          at: '2026-03-10T12:00:00.000Z',
          sequence: 2,
          data: {
            from: 'low',
            to: 'high',
            confidence: 0.81,
            primary_signal: 'late nights',
            source,
            evidence: ['s-1', 's-2'],
          },
        },
      ],
    )
    assert.deepEqual((await ann.events()).toReversed(), events)
    assert.equal(bond.previousPhase, 'dormant')
    assert.equal(bond.phaseEnteredAt, '2026-03-10T12:00:00.000Z')
    assert.equal(bond.version, 2)
    assert.deepEqual(bond.head, { sequence: 2, mac: events[1]?.mac })
  })

  it('leaves alone what it does not say (BL-D07), and a repeated one leaves no event (BL-17)', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    await ann.observe({ phase: 'warm', riskLevel: 'high', archetype: 'seeker', eggStatus: 'laid', turnCount: 9 })
    house.clock.advance(1_000)
    const { bond, events, outcome } = await ann.observe({ phase: 'warm', riskLevel: undefined })
    assert.equal(outcome, 'unchanged')
    assert.deepEqual(events, [])
    assert.deepEqual(
      [bond.phase, bond.riskLevel, bond.archetype, bond.eggStatus, bond.turnCount, bond.phaseEnteredAt],
      ['warm', 'high', 'seeker', 'laid', 9, '2026-03-10T12:00:00.000Z'],
    )
  })

  it('names archetype and egg status in events of their own, behind phase and risk (BL-20)', async () => {
    await using house = await openHouse()
    const { events } = await house
      .of('ann')
      .observe({ eggStatus: 'laid', archetype: 'seeker', riskLevel: 'high', phase: 'warm' })
    assert.deepEqual(
      events.map(({ type, detail }) => [type, detail]),
      [
        ['phase_transition', 'dormant -> warm'],
        ['risk_change', 'risk: low -> high'],
        ['attribute_change', 'archetype: unknown -> seeker'],
        ['attribute_change', 'egg status: none -> laid'],
      ],
    )
  })

  it('of two that come at once only the first logs the transition (BL-D19)', async () => {
    await using house = await openHouse()
    const seen = await Promise.all([1, 2, 3].map(() => house.of('ann').observe({ phase: 'warm' })))
    assert.deepEqual(seen.map(({ events }) => events.length).sort(), [0, 0, 1])
  })

  it('that comes late is stale: only peaks move', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    await ann.observe({ phase: 'warm', turnCount: 5, at: '2026-03-10T11:00:00Z' })
    const { bond, events, outcome } = await ann.observe(
      { phase: 'cold', turnCount: 3, at: '2026-03-10T10:59:59.999Z' },
      { peaks: { joy: 0.7 } },
    )
    assert.equal(outcome, 'stale')
    assert.deepEqual(events, [])
    assert.deepEqual([bond.phase, bond.turnCount], ['warm', 5])
    assert.deepEqual(bond.peaks, { joy: { value: 0.7, at: '2026-03-10T10:59:59.999Z' } })
    assert.equal((await ann.observe({ phase: 'cold', at: '2026-03-10T11:00:00Z' })).outcome, 'applied')
  })

  it('of the future counts as now, and a clock that goes back makes nothing stale', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    await ann.observe({ phase: 'warm', at: '2036-01-01T00:00:00Z' })
    assert.equal((await ann.observe({ phase: 'cold', at: '2026-03-10T12:00:00Z' })).outcome, 'applied')
    house.clock.stepWall(-60_000)
    assert.equal((await ann.observe({ phase: 'warm' })).outcome, 'applied')
  })

  it('raises peaks as they were given, and never lowers them (BL-21, BL-D16)', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    await ann.observe({}, { peaks: { joy: 0.12345, fear: -3, ['__proto__']: 1 } })
    house.clock.advance(1_000)
    const { bond, outcome } = await ann.observe({}, { peaks: { joy: 0.12344, fear: -2 } })
    assert.equal(outcome, 'applied')
    assert.equal(bond.version, 0)
    assert.equal(bond.peaks.joy?.value, 0.12345)
    assert.equal(bond.peaks.joy?.at, '2026-03-10T12:00:00.000Z')
    assert.deepEqual(bond.peaks.fear, { value: -2, at: '2026-03-10T12:00:01.000Z' })
    assert.deepEqual(Object.keys(bond.peaks), ['joy', 'fear', '__proto__'])
  })

  it('keeps at most 64 peak nodes of 64 bytes, and refuses the whole observation beyond', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
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

  it('gives callers their own copy of what it keeps (BL-D11)', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    const { bond } = await ann.observe({}, { peaks: { joy: 1 } })
    Object.assign(bond.peaks.joy as object, { value: 99 })
    assert.equal((await ann.bond()).peaks.joy?.value, 1)
  })

  it('takes declared words only, and suggests the one that was meant', async () => {
    await using house = await openHouse({ phases: ['calm', 'drawn', 'bound'], riskLevels: ['none', 'some'] })
    const ann = house.of('ann')
    assert.deepEqual([(await ann.bond()).phase, (await ann.bond()).riskLevel], ['calm', 'none'])
    await assert.rejects(ann.observe({ phase: 'drown' }), { code: 'detection_invalid', hint: "Did you mean 'drawn'?" })
    await assert.rejects(ann.observe({ riskLevel: 'extreme' }), {
      code: 'detection_invalid',
      hint: 'Declared are: none, some.',
    })
    await assert.rejects(ann.correct({ phase: 'drown' }, { actor: 'ana', reason: 'x' }), { code: 'detection_invalid' })
    assert.equal((await ann.observe({ phase: 'bound' })).bond.previousPhase, 'calm')
  })

  it('refuses what is not possible before anything is written (BL-D13, BL-D16)', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    const wrong: unknown[] = [
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
    for (const detection of wrong)
      await assert.rejects(
        ann.observe(detection as never),
        { code: 'detection_invalid' },
        JSON.stringify(detection?.constructor),
      )
    assert.equal((await ann.bond()).exists, false)
  })

  it('is taken once under one idempotency key', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    const first = await ann.observe({ phase: 'warm' }, { idempotencyKey: 'k' })
    await ann.observe({ phase: 'cold' })
    assert.deepEqual(await ann.observe({ phase: 'warm' }, { idempotencyKey: 'k' }), { ...first, outcome: 'replayed' })
    await assert.rejects(ann.observe({ phase: 'hot' }, { idempotencyKey: 'k' }), { code: 'idempotency_conflict' })
    assert.equal((await ann.bond()).phase, 'cold')
  })
})
