import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { AdmissionOutcome } from '../../../src/ledger/decide/admission.ts'
import { changeTimeZone } from '../../../src/ledger/decide/moderation.ts'
import { rulesWith } from '../../support/compiled-rules.ts'
import { admitting, type Decide, given } from '../../support/decide-spec.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { openLedgerHarness } from '../../support/ledger-harness.ts'

const rules = rulesWith({ dailyCap: 1 })
const admitOne: Decide<AdmissionOutcome> = admitting(rules, 1)
const setZone =
  (zone: string | null): Decide<void> =>
  (view) =>
    changeTimeZone(rules, { zone, by: { actor: 'ana' } }, view)
const used = given([]).after(admitOne)

const CASES = [
  {
    name: 'count at once when nothing was counted',
    user: given([]).after(setZone('Asia/Tokyo'), admitOne),
    expected: { allowed: false, resetAt: '2026-03-10T15:00:00.000Z' },
  },
  {
    name: 'to the east count from the end of the running window',
    user: used.after(setZone('Asia/Tokyo')).at('2026-03-10T23:59:59Z'),
    expected: { allowed: false, resetAt: '2026-03-11T00:00:00.000Z' },
  },
  {
    name: 'to the east make the next window shorter',
    user: used.after(setZone('Asia/Tokyo')).at('2026-03-11T00:00:00Z'),
    expected: { allowed: true, resetAt: '2026-03-11T15:00:00.000Z' },
  },
  {
    name: 'to the east do not skip the window after that',
    user: used.after(setZone('Asia/Tokyo')).at('2026-03-11T00:00:00Z').after(admitOne).at('2026-03-11T15:00:00Z'),
    expected: { allowed: true, resetAt: '2026-03-12T15:00:00.000Z' },
  },
  {
    // In New York it is still the 10th, which was used. The window is the 11th, until its midnight in New York.
    name: 'to the west make the next window longer, because no date is used twice',
    user: used.after(setZone('America/New_York')).at('2026-03-11T00:00:00Z'),
    expected: { allowed: true, resetAt: '2026-03-12T04:00:00.000Z' },
  },
  {
    name: 'to the west do not open a window at midnight of the new zone',
    user: used.after(setZone('America/New_York')).at('2026-03-11T00:00:00Z').after(admitOne).at('2026-03-11T05:00:00Z'),
    expected: { allowed: false, resetAt: '2026-03-12T04:00:00.000Z' },
  },
]

function resetAtOf(outcome: AdmissionOutcome): string | null {
  return outcome.allowed ? outcome.quota.resetAt : outcome.resetAt
}

describe('zone changes', () => {
  for (const { name, user, expected } of CASES) {
    it(name, () => {
      user.when(admitOne).thenResult((outcome) => {
        assert.deepEqual({ allowed: outcome.allowed, resetAt: resetAtOf(outcome) }, expected)
      })
    })
  }

  it('back and forth within a window change nothing', () => {
    let user = used
    for (const zone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago', null, 'Asia/Tokyo', null]) {
      user = user.after(setZone(zone))
      user.when(admitOne).thenResult((outcome) => assert.equal(outcome.allowed, false))
    }
    user
      .at('2026-03-11T00:00:00Z')
      .when(admitOne)
      .thenResult((outcome) => assert.equal(resetAtOf(outcome), '2026-03-12T00:00:00.000Z'))
  })

  it('yield no additional window, however often the zone changes', async () => {
    printSeed('zone changes')
    const zones = [
      'Pacific/Kiritimati',
      'Pacific/Pago_Pago',
      'UTC',
      'America/New_York',
      'Asia/Kolkata',
      'Europe/Berlin',
      null,
    ]
    const step = fc.record({
      hours: fc.integer({ min: 1, max: 20 }),
      zone: fc.option(fc.constantFrom(...zones), { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        await using harness = await openLedgerHarness({ dailyCap: 1 })
        const ann = harness.user('ann')
        const start = harness.clock.now()
        let windows = 0
        for (const { hours, zone } of steps) {
          harness.clock.advance(hours * 3_600_000)
          if (zone !== undefined) await ann.setTimeZone(zone)
          const { resetAt } = await ann.quota()
          if ((await ann.admit()).allowed) windows++
          assert.equal((await ann.admit()).allowed, false)
          if (zone !== undefined) assert.equal((await ann.quota()).resetAt, resetAt)
        }
        const days = (harness.clock.now() - start) / 86_400_000
        assert.ok(windows <= Math.floor(days) + 3, `${windows} windows in ${days} days`)
        assert.equal((await ann.verify()).ok, true)
      }),
      { numRuns: rounds(2_000, 100), seed },
    )
  })
})
