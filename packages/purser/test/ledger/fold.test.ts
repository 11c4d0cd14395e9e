import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { EventBody, NewEvent } from '../../src/journal/event.ts'
import { ledgerFold } from '../../src/ledger/bond.ts'
import { addNote, block, changeCap, changeTimeZone, correct, unblock } from '../../src/ledger/decide/moderation.ts'
import { observe } from '../../src/ledger/decide/observation.ts'
import { evolve, foldEvents } from '../../src/ledger/evolve.ts'
import { packCounters } from '../../src/ledger/limits/counters.ts'
import { NO_USAGE, type Usage } from '../../src/ledger/limits/usage.ts'
import { INITIAL_MEASUREMENTS, INITIAL_STATE, type LedgerState, type LedgerView } from '../../src/ledger/state.ts'
import { rulesWith } from '../support/compiled-rules.ts'
import { admitting, given } from '../support/decide-spec.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

const rules = rulesWith()
const by = { actor: 'ana', reason: 'test' }
const NOON = Date.parse('2026-03-10T12:00:00Z')

function viewOf(changes: Partial<LedgerView>): LedgerView {
  return {
    exists: true,
    incarnation: 1,
    version: 0,
    head: null,
    state: INITIAL_STATE,
    measurements: INITIAL_MEASUREMENTS,
    stamps: { createdAt: NOON, updatedAt: NOON, seenAt: null },
    usage: NO_USAGE,
    now: NOON,
    record: () => undefined,
    ...changes,
  }
}

/** The event as it is read from the store. */
function asStored(event: NewEvent, sequence: number, at = NOON): EventBody {
  return {
    v: 1,
    id: `id-${sequence}`,
    sequence,
    at: new Date(at).toISOString(),
    ...(JSON.parse(JSON.stringify(event)) as NewEvent),
  }
}

type Decide = (view: LedgerView) => readonly NewEvent[]

const label = fc.constantFrom('dormant', 'warm', 'cold', 'low', 'high')
const DECISIONS: fc.Arbitrary<Decide> = fc.oneof(
  fc.constantFrom(0, 1, 5, null).map(
    (cap): Decide =>
      (view) =>
        changeCap(rules, { cap, by }, view),
  ),
  fc.record({ phase: label, riskLevel: label }).map(
    (labels): Decide =>
      (view) =>
        correct(rules, { ...labels, by }, view),
  ),
  fc.constantFrom('Asia/Tokyo', 'America/New_York', null).map(
    (zone): Decide =>
      (view) =>
        changeTimeZone(rules, { zone, by }, view),
  ),
  fc.option(fc.integer({ min: 1, max: 10_000_000 })).map(
    (forMs): Decide =>
      (view) =>
        block({ until: forMs === null ? null : view.now + forMs, by }, view),
  ),
  fc.constant<Decide>((view) => unblock(by, view)),
  fc.constant<Decide>(() => addNote({ id: 'n', length: 1, digest: 'd' }, by)),
  fc.record({ phase: label, riskLevel: label, archetype: label, eggStatus: label }).map(
    (labels): Decide =>
      (view) => {
        const detection = { ...labels, at: null, peaks: {} }
        return observe(rules, { user: 'ann', detection }, view).events ?? []
      },
  ),
)

describe('evolve', () => {
  printSeed('fold')
  const numRuns = rounds(20_000, 1_000)

  it(`${numRuns} histories: the stored events fold to the state they were decided on`, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(DECISIONS, fc.nat(90_000_000)), { maxLength: 30 }), (history) => {
        let state: LedgerState = INITIAL_STATE
        let now = NOON
        const log: EventBody[] = []
        for (const [decide, ms] of history) {
          now += ms
          const usage = { ...NO_USAGE, seenAt: now }
          for (const event of decide(viewOf({ state, now, usage }))) {
            const stored = asStored(event, log.length + 1, now)
            log.push(stored)
            state = evolve(state, stored)
          }
        }
        assert.deepEqual(foldEvents(log), state)
        assert.deepEqual(JSON.parse(JSON.stringify(state)), state)
        const middle = Math.floor(log.length / 2)
        assert.deepEqual(foldEvents(log.slice(middle), foldEvents(log.slice(0, middle))), state)
      }),
      { numRuns, seed },
    )
  })

  it('is total: an unknown event neither changes the state nor throws', () => {
    const unknown = fc.record({
      type: fc.constantFrom('acme:x', 'settings_change', 'user_erased', 'admin_action'),
      detail: fc.string(),
      data: fc.dictionary(fc.string(), fc.jsonValue()),
    })
    fc.assert(
      fc.property(unknown, (event) => {
        if (['cap', 'time_zone', 'block', 'unblock', 'note', 'correct'].includes(String(event.data.action))) return
        assert.equal(evolve(INITIAL_STATE, asStored(event, 1)), INITIAL_STATE)
      }),
      { numRuns: rounds(10_000, 500), seed },
    )
  })
})

describe('a decision', () => {
  it('does not mutate the view', () => {
    const detection = { at: null, peaks: { joy: 1 } }
    const user = given([])
      .at('2026-03-09T12:00:00Z')
      .after((view) => observe(rules, { user: 'ann', detection }, view), admitting(rules, 3))
      .at('2026-03-10T12:00:00Z')
    const next = { phase: 'warm', turnCount: 9, at: null, peaks: { joy: 2, fear: 1 } }
    user
      .when((view) => observe(rules, { user: 'ann', detection: next }, view))
      .thenResult(({ outcome }) => assert.equal(outcome, 'applied'))
    user.when(admitting(rules, 1)).thenUsage({ daily: { '2026-03-09': 3, '2026-03-10': 1 } })
  })
})

describe('facets', () => {
  it('contain what lists of users are filtered by', () => {
    const { facets } = ledgerFold(rulesWith({ dailyCap: 4 }))
    const { state, measurements, stamps, now } = viewOf({})
    const user = {
      state: { ...state, phase: 'warm' },
      measurements: { ...measurements, peaks: { a: { value: 2, at: '' }, b: { value: 7, at: '' } } },
      stamps,
      now,
    }
    const windows = [{ name: '2026-03-10', from: NOON, used: 3 }]
    const usage: Usage = { v: 1, seenAt: NOON, counters: packCounters([{ name: 'daily', of: 'turns day', windows }]) }
    assert.deepEqual(facets({ ...user, usage }), {
      phase: 'warm',
      riskLevel: 'low',
      blocked: false,
      capUsed: 0.75,
      capUsedUntil: Date.parse('2026-03-11T00:00:00Z'),
      peak: 7,
    })
  })
})
