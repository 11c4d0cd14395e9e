import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { NewEvent } from '../../src/journal/event.ts'
import { ledgerFold } from '../../src/ledger/bond.ts'
import { admit } from '../../src/ledger/decide/admission.ts'
import { block, changeCap, changeZone, correct, noteAdded, unblock } from '../../src/ledger/decide/moderation.ts'
import { observe } from '../../src/ledger/decide/observation.ts'
import { evolve, rebuild } from '../../src/ledger/evolve.ts'
import { type LedgerView, rulesOf } from '../../src/ledger/quota.ts'
import { INITIAL, type LedgerState, NO_MEASUREMENTS } from '../../src/ledger/state.ts'
import { IssuedTicket, type Ticket } from '../../src/ledger/tickets.ts'
import { DEFAULTS } from '../../src/options.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

const rules = rulesOf(DEFAULTS.ledger, 'UTC')
const by = { actor: 'ana', reason: 'test' }
const NOON = Date.parse('2026-03-10T12:00:00Z')

/** A user as a decision sees them. */
function given(changes: Partial<LedgerView> = {}): LedgerView {
  return {
    exists: true,
    incarnation: 1,
    version: 0,
    head: null,
    state: INITIAL,
    measured: NO_MEASUREMENTS,
    stamps: { createdAt: NOON, updatedAt: NOON, seenAt: null },
    counters: [],
    now: NOON,
    record: () => undefined,
    ...changes,
  }
}

const placed = (event: NewEvent, sequence: number, at = NOON): Parameters<typeof evolve>[1] => ({
  v: 1,
  id: `id-${sequence}`,
  sequence,
  at: new Date(at).toISOString(),
  ...(JSON.parse(JSON.stringify(event)) as NewEvent),
})

const label = fc.constantFrom('dormant', 'warm', 'cold', 'low', 'high')
const zone = fc.constantFrom('Asia/Tokyo', 'America/New_York', null)
type Change = (view: LedgerView) => readonly NewEvent[]
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.constantFrom(0, 1, 5, null).map(
    (cap): Change =>
      (view) =>
        changeCap(rules, { cap, by }, view),
  ),
  fc.record({ phase: label, riskLevel: label }).map(
    (wanted): Change =>
      (view) =>
        correct(rules, { ...wanted, by }, view),
  ),
  zone.map(
    (to): Change =>
      (view) =>
        changeZone(rules, { zone: to, by }, view),
  ),
  fc.option(fc.integer({ min: 1, max: 10_000_000 })).map(
    (forMs): Change =>
      (view) =>
        block({ until: forMs === null ? null : view.now + forMs, by }, view),
  ),
  fc.constant<Change>((view) => unblock(by, view)),
  fc.constant<Change>(() => noteAdded({ id: 'n', length: 1, digest: 'd' }, by)),
  fc.record({ phase: label, riskLevel: label, archetype: label, eggStatus: label }).map(
    (said): Change =>
      (view) =>
        observe(rules, { detection: { ...said, at: null, peaks: {} }, bond: () => undefined }, view).events ?? [],
  ),
)

describe('the pure rules', () => {
  printSeed('rules')
  const numRuns = rounds(20_000, 1_000)

  it(`${numRuns} histories: what was decided and stored folds to the state it was decided on (L5, L10)`, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(change, fc.nat(90_000_000)), { maxLength: 30 }), (history) => {
        let state: LedgerState = INITIAL
        let now = NOON
        const log: ReturnType<typeof placed>[] = []
        for (const [decide, ms] of history) {
          now += ms
          const counters = [{ limit: 'messages', window: new Date(now).toISOString().slice(0, 10), value: 1 }]
          for (const event of decide(given({ state, now, counters }))) {
            const stored = placed(event, log.length + 1, now)
            log.push(stored)
            state = evolve(state, stored)
          }
        }
        assert.deepEqual(rebuild(log), state)
        assert.deepEqual(JSON.parse(JSON.stringify(state)), state)
        const middle = Math.floor(log.length / 2)
        assert.deepEqual(rebuild(log.slice(middle), rebuild(log.slice(0, middle))), state)
      }),
      { numRuns, seed },
    )
  })

  it('evolve is total: no event of anybody else changes the state or throws', () => {
    const foreign = fc.record({
      type: fc.constantFrom('acme:x', 'settings_change', 'user_erased', 'admin_action'),
      detail: fc.string(),
      data: fc.dictionary(fc.string(), fc.jsonValue()),
    })
    fc.assert(
      fc.property(foreign, (event) => {
        if (['cap', 'time_zone', 'block', 'unblock', 'note', 'correct'].includes(String(event.data.action))) return
        assert.equal(evolve(INITIAL, placed(event, 1)), INITIAL)
      }),
      { numRuns: rounds(10_000, 500), seed },
    )
  })

  it('a decision changes nothing it was given', () => {
    const frozen = deepFreeze(
      given({
        counters: [{ limit: 'messages', window: '2026-03-09', value: 3 }],
        measured: { turnCount: 1, peaks: { joy: { value: 1, at: 'x' } }, observedAt: 5 },
      }),
    )
    observe(
      rules,
      { detection: { phase: 'warm', turnCount: 9, at: null, peaks: { joy: 2, fear: 1 } }, bond: () => undefined },
      frozen,
    )
    const issue = (ticket: Ticket): IssuedTicket => new IssuedTicket(ticket, () => 'ticket')
    const { counters } = admit(rules, { cost: 1, ticketId: 't', claimed: false, issue }, frozen)
    assert.deepEqual(counters, [{ limit: 'messages', window: '2026-03-10', value: 1 }])
  })

  it('says what lists are filtered by', () => {
    const { facets } = ledgerFold({ ...DEFAULTS.ledger, dailyCap: 4 }, 'UTC')
    const { state, measured, stamps, now } = given()
    const user = {
      state: { ...state, phase: 'warm' },
      measured: { ...measured, peaks: { a: { value: 2, at: '' }, b: { value: 7, at: '' } } },
      stamps,
      now,
    }
    assert.deepEqual(facets({ ...user, counters: [{ limit: 'messages', window: '2026-03-10', value: 3 }] }), {
      phase: 'warm',
      riskLevel: 'low',
      blocked: false,
      capUsed: 0.75,
      capUsedUntil: Date.parse('2026-03-11T00:00:00Z'),
      peak: 7,
    })
  })
})

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member)
    Object.freeze(value)
  }
  return value
}
