import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { NewEvent } from '../../../src/journal/event.ts'
import { type ObserveResult, observe } from '../../../src/ledger/decide/observation.ts'
import type { Detection } from '../../../src/ledger/detection.ts'
import { rulesWith } from '../../support/compiled-rules.ts'
import { type Decide, given } from '../../support/decide-spec.ts'

const rules = rulesWith()
const NOON = '2026-03-10T12:00:00.000Z'

type Observation = Omit<Detection, 'at' | 'peaks'> & { at?: string; peaks?: Record<string, number> }

function observing({ at, peaks = {}, ...labels }: Observation): Decide<ObserveResult> {
  const detection = { ...labels, peaks, at: at === undefined ? null : Date.parse(at) }
  return (view) => observe(rules, { user: 'ann', detection }, view)
}

const change = (type: string, detail: string, data: NewEvent['data']): NewEvent => ({ type, detail, data })
const toWarm = change('phase_transition', 'dormant -> warm', { from: 'dormant', to: 'warm' })
const toHigh = change('risk_change', 'risk: low -> high', { from: 'low', to: 'high' })
const toSeeker = change('attribute_change', 'archetype: unknown -> seeker', {
  attribute: 'archetype',
  from: 'unknown',
  to: 'seeker',
})
const toLaid = change('attribute_change', 'egg status: none -> laid', {
  attribute: 'eggStatus',
  from: 'none',
  to: 'laid',
})

describe('events of an observation', () => {
  it('phase and risk that change are two events, in this order, with the evidence (BL-16, BL-18)', () => {
    const source = { name: 'detector', version: '2.1' }
    const evidence = ['s-1', 's-2']
    const data = { confidence: 0.81, primary_signal: 'late nights', source, evidence }
    given([])
      .when(
        observing({
          riskLevel: 'high',
          phase: 'warm',
          confidence: 0.81,
          primarySignal: 'late nights',
          source,
          evidence,
        }),
      )
      .then([
        { ...toWarm, data: { ...toWarm.data, ...data } },
        { ...toHigh, data: { ...toHigh.data, ...data } },
      ])
      .thenResult(({ outcome, bond }) => {
        assert.equal(outcome, 'applied')
        assert.deepEqual([bond.phase, bond.previousPhase, bond.phaseEnteredAt], ['warm', 'dormant', NOON])
      })
  })

  it('archetype and egg status are events of their own, after phase and risk (BL-20)', () => {
    given([])
      .when(observing({ eggStatus: 'laid', archetype: 'seeker', riskLevel: 'high', phase: 'warm' }))
      .then([toWarm, toHigh, toSeeker, toLaid])
  })

  it('absent fields stay unchanged (BL-D07), and a repeated observation leaves no event (BL-17)', () => {
    given([toWarm, toHigh, toSeeker, toLaid])
      .after(observing({ turnCount: 9 }))
      .at('2026-03-10T12:00:01Z')
      .when(observing({ phase: 'warm' }))
      .then([])
      .thenResult(({ outcome, bond, events }) => {
        assert.equal(outcome, 'unchanged')
        assert.deepEqual(events, [])
        assert.deepEqual(
          [bond.phase, bond.riskLevel, bond.archetype, bond.eggStatus, bond.turnCount, bond.phaseEnteredAt],
          ['warm', 'high', 'seeker', 'laid', 9, NOON],
        )
      })
  })
})

describe('the time of an observation', () => {
  it('an observation older than the last applied one is stale: only peaks change', () => {
    const user = given([]).after(observing({ phase: 'warm', turnCount: 5, at: '2026-03-10T11:00:00Z' }))
    const at = '2026-03-10T10:59:59.999Z'
    user
      .when(observing({ phase: 'cold', turnCount: 3, at, peaks: { joy: 0.7 } }))
      .then([])
      .thenResult(({ outcome, bond }) => {
        assert.equal(outcome, 'stale')
        assert.deepEqual([bond.phase, bond.turnCount], ['warm', 5])
        assert.deepEqual(bond.peaks, { joy: { value: 0.7, at } })
      })
    user
      .when(observing({ phase: 'cold', at: '2026-03-10T11:00:00Z' }))
      .thenResult(({ outcome }) => assert.equal(outcome, 'applied'))
  })

  it('a time in the future counts as now', () => {
    given([])
      .after(observing({ phase: 'warm', at: '2036-01-01T00:00:00Z' }))
      .when(observing({ phase: 'cold', at: NOON }))
      .thenResult(({ outcome }) => assert.equal(outcome, 'applied'))
  })

  it('a clock that is set back makes no observation without a time stale', () => {
    given([])
      .after(observing({ phase: 'cold', at: NOON }))
      .at('2026-03-10T11:59:00Z')
      .when(observing({ phase: 'warm' }))
      .thenResult(({ outcome }) => assert.equal(outcome, 'applied'))
  })
})

describe('peaks', () => {
  it('rise, and never fall (BL-21, BL-D16)', () => {
    given([])
      .after(observing({ peaks: { joy: 0.12345, fear: -3, ['__proto__']: 1 } }))
      .at('2026-03-10T12:00:01Z')
      .when(observing({ peaks: { joy: 0.12344, fear: -2 } }))
      .then([])
      .thenResult(({ outcome, bond }) => {
        assert.equal(outcome, 'applied')
        assert.equal(bond.version, 0)
        assert.deepEqual(bond.peaks.joy, { value: 0.12345, at: NOON })
        assert.deepEqual(bond.peaks.fear, { value: -2, at: '2026-03-10T12:00:01.000Z' })
        assert.deepEqual(Object.keys(bond.peaks), ['joy', 'fear', '__proto__'])
      })
  })

  it('a user has at most 64 nodes; an observation with one more is rejected as a whole', () => {
    const nodes = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`n${index}`, 1]))
    const full = given([]).after(observing({ peaks: nodes }))
    full.when(observing({ phase: 'warm', peaks: { other: 1 } })).thenThrows({ code: 'detection_invalid' })
    full
      .when(observing({ peaks: { n1: 2 } }))
      .thenResult(({ outcome, bond }) => assert.deepEqual([outcome, bond.peaks.n1?.value], ['applied', 2]))
  })
})
