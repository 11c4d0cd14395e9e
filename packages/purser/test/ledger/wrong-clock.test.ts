import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { UserLedger } from '../../src/ledger/api.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { type LedgerHarness, openLedgerHarness } from '../support/ledger-harness.ts'

/*
 * A wall clock that is wrong for a moment. It must not lock a user out, make detections or tickets of the right time
 * invalid, or give more than the cap of the right time.
 */

const DAY_MS = 86_400_000
const RIGHT = '2026-03-10T12:00:00Z'
const AHEAD = '2027-03-10T12:00:00Z'
const WINDOWS = ['day', 'rolling24h'] as const
const by = { actor: 'ana', reason: 'wrong clock' }

/** Runs `task` while the wall clock is wrong; then it is right again, a second later. */
async function whileWrong(harness: LedgerHarness, wall: string | number, task: () => Promise<unknown>): Promise<void> {
  const right = harness.clock.now()
  harness.clock.setWall(wall)
  await task()
  harness.clock.setWall(right)
  harness.clock.advance(1_000)
}

async function admitAll(user: UserLedger, attempts: number): Promise<number> {
  let allowed = 0
  for (let attempt = 0; attempt < attempts; attempt++) if ((await user.admit()).allowed) allowed++
  return allowed
}

for (const window of WINDOWS) {
  describe(`a clock that ran ahead for a moment, window ${window}`, () => {
    it('does not lock out a user who was seen before', async () => {
      await using harness = await openLedgerHarness({ dailyCap: 2, window })
      const user = harness.user('ada')
      await user.admit()
      await whileWrong(harness, AHEAD, () => user.admit())
      const { count, resetAt } = await user.quota()
      assert.ok(count === 1 && Date.parse(resetAt as string) <= harness.clock.now() + 2 * DAY_MS, `${count} ${resetAt}`)
      assert.equal(await admitAll(user, 3), 1)
      assert.equal((await user.bond()).lastSeenAt, new Date(harness.clock.now()).toISOString())
      const corrections = await user.events({ types: ['clock_correction'] })
      assert.deepEqual(
        corrections.map(({ actor, data }) => [actor, (data.windows as unknown[]).length]),
        [['purser', 1]],
      )
      // The correction, and the first refusal of the day.
      assert.deepEqual(await user.verify(), { ok: true, checked: 2 })
    })

    it('does not lock out a user who was first seen by it, when this process saw the jump', async () => {
      await using harness = await openLedgerHarness({ dailyCap: 1, window })
      const user = harness.user('ada')
      await whileWrong(harness, AHEAD, () => user.admit())
      assert.equal(await admitAll(user, 2), 1)
    })

    it('opens nothing when it is set back before everything that is known of the user', async () => {
      await using harness = await openLedgerHarness({ dailyCap: 1, window })
      const user = harness.user('ada')
      await user.admit()
      for (const days of [1, 3, 400]) {
        harness.clock.stepWall(-days * DAY_MS)
        assert.equal(await admitAll(user, 2), 0, `${days} days`)
      }
      // An operator can still give the day back.
      assert.equal((await user.resetLimit('daily', by)).used, 0)
      assert.equal(await admitAll(user, 2), 1)
      assert.equal((await user.verify()).ok, true)
    })

    it('is repaired by resetLimit in a process that did not see it', async () => {
      await using harness = await openLedgerHarness({ dailyCap: 1, window, wall: AHEAD })
      await harness.user('ada').admit()
      await harness.user('ada').setTimeZone('Asia/Tokyo')
      harness.clock.setWall(RIGHT)
      await using peer = await openLedgerHarness({ dailyCap: 1, window, store: harness.store, wall: RIGHT })
      const user = peer.user('ada')
      assert.equal(await admitAll(user, 1), 0)
      const state = await user.resetLimit('daily', by)
      assert.deepEqual(
        [state.name, state.max, state.used, state.remaining, state.origin],
        ['daily', 1, 0, 1, 'default'],
      )
      assert.equal(await admitAll(user, 2), 1)
      assert.ok(Date.parse((await user.quota()).resetAt as string) <= Date.parse(RIGHT) + 2 * DAY_MS)
      const [event] = await user.events({ types: ['limit_change'], limit: 1 })
      assert.deepEqual([event?.data.reset, event?.actor, event?.reason], [true, 'ana', 'wrong clock'])
      assert.equal((await user.verify()).ok, true)
    })
  })
}

describe('after a clock that ran ahead for a moment', () => {
  it('a detection of the right time is applied', async () => {
    await using harness = await openLedgerHarness()
    const user = harness.user('ada')
    await user.observe({ phase: 'cold' })
    await whileWrong(harness, AHEAD, () => user.observe({ phase: 'wrong' }))
    const at = new Date(harness.clock.now()).toISOString()
    const { outcome, events } = await user.observe({ phase: 'warm', at })
    assert.deepEqual([outcome, events.map(({ type }) => type)], ['applied', ['phase_transition']])
    assert.equal((await user.observe({ phase: 'older', at: RIGHT })).outcome, 'stale')
    assert.equal((await user.events({ types: ['clock_correction'] })).length, 1)
  })

  it('tickets of the right time are valid, settle once, and are not forgotten', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 10 })
    const user = harness.user('ada')
    const tickets = [await user.admit(), await user.admit()].map((admitted) =>
      admitted.allowed ? admitted.ticket : '',
    )
    const [settled = '', open = ''] = tickets
    await user.settle(settled)
    await whileWrong(harness, AHEAD, () => user.admit())
    assert.equal(await user.refund(open), true)
    assert.equal(await user.refund(open), false)
    await assert.rejects(user.settle(settled), { code: 'ticket_used' })
    assert.equal((await user.quota()).count, 1)
  })

  it('a ticket of the wrong time can be settled, and pays for no turn', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 10 })
    const user = harness.user('ada')
    await user.admit()
    const tickets: string[] = []
    await whileWrong(harness, AHEAD, async () => {
      for (let count = 0; count < 2; count++) {
        const admitted = await user.admit()
        if (admitted.allowed) tickets.push(admitted.ticket)
      }
    })
    const [running = '', unused = ''] = tickets
    await user.settle(running, { inputTokens: 5 })
    await assert.rejects(user.claim(unused), { code: 'ticket_invalid' })
  })

  it('a time zone that was set meanwhile counts', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 1 })
    const user = harness.user('ada')
    await user.admit()
    await whileWrong(harness, AHEAD, async () => {
      await user.admit()
      await user.setTimeZone('Asia/Tokyo')
    })
    harness.clock.advance(3 * DAY_MS)
    assert.equal(await admitAll(user, 2), 1)
    assert.equal((await user.quota()).resetAt, '2026-03-13T15:00:00.000Z')
    assert.equal((await user.verify()).ok, true)
  })

  it('lists of users see the right use of the cap', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 4 })
    const user = harness.user('ada')
    await user.admit()
    await whileWrong(harness, AHEAD, () => admitAll(user, 4))
    await user.admit()
    const { users } = await harness.ledger.users({ capUsed: 0.4 })
    assert.deepEqual(
      users.map(({ dailyCount, lastSeenAt }) => [dailyCount, lastSeenAt]),
      [[2, new Date(harness.clock.now()).toISOString()]],
    )
  })
})

describe('resetLimit', () => {
  it('gives back the running window, and only that', async () => {
    for (const window of WINDOWS) {
      await using harness = await openLedgerHarness({ dailyCap: 2, window })
      const user = harness.user('ada')
      const before = await user.resetLimit('daily', by)
      assert.deepEqual([before.used, (await user.bond()).exists], [0, false])
      assert.equal(await admitAll(user, 3), 2)
      harness.clock.advance(120_000)
      const state = await user.resetLimit('daily', { ...by, idempotencyKey: 'k' })
      assert.deepEqual([state.used, state.remaining], [0, 2])
      assert.equal(await admitAll(user, 3), 2)
      assert.equal((await user.resetLimit('daily', { ...by, idempotencyKey: 'k' })).used, 0)
      assert.equal(await admitAll(user, 1), 0)
    }
  })

  it('rejects unknown limits and a missing reason, and writes nothing then', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 2 })
    const user = harness.user('ada')
    await assert.rejects(user.resetLimit('weekly', by), { code: 'limit_unknown' })
    await assert.rejects(user.resetLimit(5 as never, by), { code: 'argument_invalid' })
    await assert.rejects(user.resetLimit('daily', { actor: 'ana' } as never), { code: 'argument_invalid' })
    await assert.rejects(user.resetLimit('daily', { ...by, expectedVersion: 3 }), { code: 'version_conflict' })
    assert.equal((await user.bond()).exists, false)
  })
})

type Step =
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'admit' | 'observe' | 'zone' | 'settle' }
  | { readonly type: 'wrong'; readonly days: number; readonly steps: readonly Step[] }

const simple: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ type: 'admit' as const }) },
  fc.constantFrom({ type: 'observe' as const }, { type: 'zone' as const }, { type: 'settle' as const }),
  fc.record({ type: fc.constant('advance' as const), ms: fc.constantFrom(1_000, 3_600_000, 7 * 3_600_000, DAY_MS) }),
)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: simple },
  fc.record({
    type: fc.constant('wrong' as const),
    days: fc.constantFrom(6, 40, 365, 3_700),
    steps: fc.array(simple, { maxLength: 4 }),
  }),
)

/** A user on a clock that is wrong now and then, and how many admissions each date had while it was right. */
class Scenario {
  readonly #harness: LedgerHarness
  readonly #user: UserLedger
  readonly admitted = new Map<string, number>()
  #tickets: string[] = []
  #zones = 0

  constructor(harness: LedgerHarness) {
    this.#harness = harness
    this.#user = harness.user('ada')
  }

  async run(step: Step, isRight = true): Promise<void> {
    const { clock } = this.#harness
    if (step.type === 'advance') clock.advance(step.ms)
    else if (step.type === 'wrong') {
      const right = clock.now()
      clock.stepWall(step.days * DAY_MS)
      for (const inner of step.steps) if (inner.type !== 'advance') await this.run(inner, false)
      clock.setWall(right)
    } else if (step.type === 'admit') await this.#admit(isRight)
    else if (step.type === 'observe')
      await this.#user.observe({ phase: `p${clock.now()}`, at: new Date(clock.now()).toISOString() })
    else if (step.type === 'zone')
      await this.#user.setTimeZone(['Asia/Tokyo', 'Pacific/Apia', null][this.#zones++ % 3] ?? null)
    else await this.#user.settle(this.#tickets.pop() ?? '').catch(() => undefined)
  }

  async #admit(isRight: boolean): Promise<void> {
    const admission = await this.#user.admit()
    if (!admission.allowed) return
    this.#tickets.push(admission.ticket)
    if (!isRight) return
    const key = admission.resetAt ?? ''
    this.admitted.set(key, (this.admitted.get(key) ?? 0) + 1)
  }
}

it('no sequence of wrong moments locks a user out or gives more than the cap', async () => {
  printSeed('wrong clocks')
  const options = fc.record({ window: fc.constantFrom(...WINDOWS), isNew: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(options, fc.array(anyStep, { maxLength: 14 }), async ({ window, isNew }, steps) => {
      await using harness = await openLedgerHarness({ dailyCap: 2, window, wall: RIGHT })
      const scenario = new Scenario(harness)
      if (!isNew) await scenario.run({ type: 'admit' })
      for (const step of steps) await scenario.run(step)
      if (window === 'day')
        for (const [resetAt, count] of scenario.admitted) assert.ok(count <= 2, `${count} in ${resetAt}`)
      const user = harness.user('ada')
      const observed = await user.observe({ phase: 'last', at: new Date(harness.clock.now()).toISOString() })
      assert.equal(observed.outcome, 'applied')
      harness.clock.advance(3 * DAY_MS)
      const last = await user.admit()
      assert.equal(last.allowed, true)
      assert.ok(Date.parse(last.resetAt as string) <= harness.clock.now() + 2.1 * DAY_MS, `resets ${last.resetAt}`)
      assert.equal((await user.verify()).ok, true)
    }),
    { seed, numRuns: rounds(20_000, 300) },
  )
})
