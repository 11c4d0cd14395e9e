import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Limit } from '../../../src/options.ts'
import { openLedgerHarness } from '../../support/ledger-harness.ts'

const by = { actor: 'ana', reason: 'ticket 4711' }
const DAY_MS = 86_400_000
const TOKENS: Limit = { name: 'tokens', measure: 'tokens', max: 1_000, window: 'day', alertAt: [0.5] }
const COST: Limit = { name: 'cost', measure: 'cost', max: '1.50', window: 'month' }
const SLOTS: Limit = { name: 'slots', measure: 'concurrent', max: 1 }
const PRICES = { 'openai/*': { input: '1', output: '2' } }

describe('limits of a user', () => {
  it('are listed in the order of decision, daily first, with origin and ceiling', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 5, limits: [TOKENS, COST, SLOTS] })
    const ann = harness.user('ann')
    const limits = await ann.limits()
    assert.deepEqual(
      limits.map(({ name, measure, window, max, used, remaining, origin, ceiling }) => [
        name,
        measure,
        window,
        max,
        used,
        remaining,
        origin,
        ceiling,
      ]),
      [
        ['daily', 'turns', 'day', 5, 0, 5, 'default', 5],
        ['tokens', 'tokens', 'day', 1_000, 0, 1_000, 'default', 1_000],
        ['cost', 'cost', 'month', '1.5', '0', '1.5', 'default', '1.5'],
        ['slots', 'concurrent', null, 1, 0, 1, 'default', 1],
      ],
    )
    assert.equal((await ann.bond()).exists, false)
  })

  it('refuse with their name, use and reset, and hold estimates', async () => {
    await using harness = await openLedgerHarness({ limits: [TOKENS, COST], prices: PRICES })
    const ann = harness.user('ann')
    const estimate = { inputTokens: 400, outputTokens: 200 }
    const first = await ann.admit({ model: 'openai/gpt-6', estimate })
    assert.ok(first.allowed)
    assert.deepEqual([first.model, first.downgradedBy], ['openai/gpt-6', null])
    const [, tokens, cost] = await ann.limits()
    assert.deepEqual([tokens?.held, tokens?.remaining, cost?.held], [600, 400, '0.0008'])
    const second = await ann.admit({ model: 'openai/gpt-6', estimate })
    assert.deepEqual(second, {
      allowed: false,
      reason: 'limit',
      retryAfterMs: DAY_MS / 2,
      remaining: -1,
      cap: 0,
      count: 1,
      resetAt: null,
      limit: { name: 'tokens', measure: 'tokens', max: 1_000, used: 0, resetAt: '2026-03-11T00:00:00.000Z' },
    })
    await ann.settle(first.ticket, { inputTokens: 500, outputTokens: 100 })
    const [, after, costAfter] = await ann.limits()
    assert.deepEqual([after?.held, after?.used, costAfter?.used], [0, 600, '0.0007'])
    const events = await ann.events()
    assert.deepEqual(
      events.map(({ type, data }) => [type, data.limit]),
      [
        ['limit_threshold', 'tokens'],
        ['limit_reached', 'tokens'],
      ],
    )
    assert.equal(events[1]?.data.resetAt, '2026-03-11T00:00:00.000Z')
    assert.equal((await ann.verify()).ok, true)
  })

  it('hold what was admitted outside of turns for 15 minutes', async () => {
    await using harness = await openLedgerHarness({ limits: [SLOTS] })
    const ann = harness.user('ann')
    assert.equal((await ann.admit()).allowed, true)
    const refused = await ann.admit()
    assert.ok(!refused.allowed)
    assert.deepEqual([refused.reason, refused.retryAfterMs, refused.limit?.name], ['limit', 1_000, 'slots'])
    const [reached] = await ann.events({ types: ['limit_reached'] })
    assert.equal(reached?.data.resetAt, null)
    harness.clock.advance(15 * 60_000)
    assert.equal((await ann.admit()).allowed, true)
  })

  it('a turn is sent to another model when a limit says so, and counted there', async () => {
    const limits: Limit[] = [
      {
        name: 'big',
        measure: 'turns',
        max: 1,
        window: 'day',
        models: ['openai/big'],
        onLimit: { model: 'small' },
      },
      { name: 'small', measure: 'turns', max: 1, window: 'day', models: ['*/small'] },
    ]
    await using harness = await openLedgerHarness({ limits })
    const ann = harness.user('ann')
    const models: unknown[] = []
    for (let turn = 0; turn < 3; turn++) {
      const admission = await ann.admit({ model: 'openai/big' })
      models.push(admission.allowed ? [admission.model, admission.downgradedBy] : admission.limit?.name)
    }
    assert.deepEqual(models, [['openai/big', null], ['openai/small', 'big'], 'small'])
  })

  it('steps of weight 0 are no turns, and hold and settle tokens', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 1, limits: [TOKENS] })
    const ann = harness.user('ann')
    await ann.admit()
    const step = await ann.admit({ cost: 0, estimate: { inputTokens: 10, outputTokens: 10 } })
    assert.ok(step.allowed)
    await ann.settle(step.ticket, { inputTokens: 1_000 })
    assert.equal((await ann.quota()).count, 1)
    const refused = await ann.admit({ cost: 0 })
    assert.equal(!refused.allowed && refused.limit?.name, 'tokens')
  })
})

describe('a limit', () => {
  it('is set by an operator until an instant, and returns to the configured one', async () => {
    await using harness = await openLedgerHarness({ limits: [TOKENS] })
    const ann = harness.user('ann')
    const until = '2026-03-12T00:00:00.000Z'
    const set = await ann.setLimit('tokens', 5_000, { ...by, until })
    assert.deepEqual([set.max, set.origin, set.until, set.ceiling], [5_000, 'user', until, 5_000])
    const [event] = await ann.events()
    assert.deepEqual([event?.type, event?.actor, event?.reason], ['limit_change', 'ana', 'ticket 4711'])
    harness.clock.advance(2 * DAY_MS)
    assert.deepEqual((await ann.limits())[1]?.max, 1_000)
    await ann.setLimit('tokens', null, by)
    const [, none] = await ann.limits()
    assert.deepEqual([none?.max, none?.remaining, none?.resetAt], [null, null, null])
    assert.equal((await ann.setLimit('tokens', 'default', by)).origin, 'default')
    assert.equal((await ann.verify()).ok, true)
  })

  it('named daily is the cap, whichever call sets it, and the last one holds', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 5 })
    const ann = harness.user('ann')
    await ann.setDailyCap(7, by)
    assert.deepEqual((await ann.limits())[0]?.max, 7)
    await ann.setLimit('daily', 0, by)
    const none = await ann.admit()
    assert.deepEqual([none.allowed, none.cap, none.remaining], [false, 0, 0])
    await ann.setDailyCap(0, by)
    assert.equal((await ann.admit()).remaining, -1)
    await ann.setDailyCap(null, by)
    assert.deepEqual([(await ann.bond()).dailyCap, (await ann.bond()).capOrigin], [5, 'default'])
    assert.equal((await ann.verify()).ok, true)
  })

  it('of the person only lowers; raising and removing it wait for the next day', async () => {
    await using harness = await openLedgerHarness({ limits: [TOKENS] })
    const ann = harness.user('ann')
    const lower = await ann.setOwnLimit('tokens', 100)
    assert.deepEqual([lower.max, lower.origin, lower.ceiling, lower.pending], [100, 'self', 1_000, null])
    await assert.rejects(ann.setOwnLimit('tokens', 1_001), { code: 'limit_invalid' })
    const raised = await ann.setOwnLimit('tokens', 500)
    const at = '2026-03-11T00:00:00.000Z'
    assert.deepEqual([raised.max, raised.pending], [100, { max: 500, at }])
    harness.clock.advance(DAY_MS / 2)
    assert.deepEqual((await ann.limits())[1]?.max, 500)
    await ann.setOwnLimit('tokens', null)
    harness.clock.advance(DAY_MS)
    assert.deepEqual((await ann.limits())[1]?.origin, 'default')
    const [event] = await ann.events()
    assert.equal(event?.actor, 'self')
  })

  it('that is unknown or not valid is an error, and nothing is written', async () => {
    await using harness = await openLedgerHarness({ limits: [TOKENS] })
    const ann = harness.user('ann')
    await assert.rejects(ann.setLimit('token', 1, by), { code: 'limit_unknown', hint: "Did you mean 'tokens'?" })
    for (const max of [-1, 1.5, '5', undefined])
      await assert.rejects(ann.setLimit('tokens', max as never, by), { code: 'limit_invalid' })
    await assert.rejects(ann.setLimit('tokens', 1, { ...by, until: '2020-01-01T00:00:00Z' }), {
      code: 'argument_invalid',
    })
    await assert.rejects(ann.setPlan('gold', by), { code: 'plan_unknown' })
    assert.equal((await ann.bond()).exists, false)
  })
})

describe('a plan', () => {
  const plans = {
    free: { limits: [{ ...TOKENS, max: 100 }] },
    pro: { extends: 'free', limits: [{ ...TOKENS, max: 10_000 }, COST] },
  }

  it('applies at once, and what was used stays used', async () => {
    await using harness = await openLedgerHarness({ plans, plan: 'free' })
    const ann = harness.user('ann')
    assert.deepEqual([(await ann.bond()).plan, (await ann.bond()).planOrigin], ['free', 'default'])
    const admission = await ann.admit()
    assert.ok(admission.allowed)
    await ann.settle(admission.ticket, { inputTokens: 90 })
    const bond = await ann.setPlan('pro', by)
    assert.deepEqual([bond.plan, bond.planOrigin, bond.capOrigin], ['pro', 'user', 'default'])
    const [, tokens, cost] = await ann.limits()
    assert.deepEqual([tokens?.max, tokens?.used, tokens?.origin, cost?.name], [10_000, 90, 'plan:pro', 'cost'])
    assert.equal((await ann.setPlan(null, by)).plan, 'free')
    assert.deepEqual(
      (await ann.events()).map(({ type }) => type),
      ['plan_change', 'plan_change', 'limit_threshold'],
    )
    assert.equal((await ann.verify()).ok, true)
  })
})

it('limits that were set are exported', async () => {
  await using harness = await openLedgerHarness({ limits: [TOKENS, COST] })
  const ann = harness.user('ann')
  await ann.setLimit('tokens', 7, by)
  await ann.setOwnLimit('cost', '0.5')
  const rows = await Array.fromAsync(harness.internalUser('ann').exportRows())
  const limits = rows.filter(({ type }) => type === 'limit').map(({ value }) => value as { name: string; max: unknown })
  assert.deepEqual(
    limits.map(({ name, max }) => [name, max]),
    [
      ['tokens', 7],
      ['cost', '0.5'],
    ],
  )
})
