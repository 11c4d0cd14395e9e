import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { InternalUserLedger, UserLedger } from '../../../src/ledger/api.ts'
import type { Limit } from '../../../src/options.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { type LedgerHarness, openLedgerHarness } from '../../support/ledger-harness.ts'

/** One limit of each kind of window, of money, of some models, and one that refuses before its window is opened. */
const LIMITS: Limit[] = [
  { name: 'week', measure: 'turns', max: 9, window: 'week', alertAt: [0.5] },
  { name: 'month', measure: 'cost', max: '0.0002', window: 'month', alertAt: [0.8, 1] },
  { name: 'first', measure: 'tokens', max: 60, window: '5h', alertAt: [0.5, 1], mode: 'observe' },
  { name: 'sliding', measure: 'outputTokens', max: 30, window: 'sliding:1h', alertAt: [0.5] },
  { name: 'rare', measure: 'turns', max: 2, window: 'total', models: ['x/*'], mode: 'observe', alertAt: [1] },
  { name: 'none', measure: 'turns', max: 0, window: '3h', mode: 'observe' },
]
const OPTIONS = { dailyCap: 6, limits: LIMITS, prices: { '*': { input: '1', output: '3' } } }
const MINUTE_MS = 60_000

interface Step {
  readonly afterMs: number
  readonly model: string
  readonly inputTokens: number
  readonly outputTokens: number
}

const STEP: fc.Arbitrary<Step> = fc.record({
  afterMs: fc.oneof(
    fc.integer({ min: 0, max: 30 * MINUTE_MS }),
    fc.integer({ min: 0, max: 20 }).map((hours) => hours * 60 * MINUTE_MS),
  ),
  model: fc.constantFrom('x/a', 'y/b'),
  inputTokens: fc.integer({ min: 0, max: 20 }),
  outputTokens: fc.integer({ min: 0, max: 12 }),
})

/** One turn. What the caller and the operator see of it. */
async function take(ledger: UserLedger, { model, inputTokens, outputTokens }: Step): Promise<unknown> {
  const admission = await ledger.admit({ model })
  if (!admission.allowed) {
    const { reason, retryAfterMs, limit } = admission as typeof admission & { readonly limit?: unknown }
    return { reason, retryAfterMs, limit }
  }
  await ledger.settle(admission.ticket, { inputTokens, outputTokens })
  return admission.remaining
}

async function reportsOf(ledger: UserLedger): Promise<unknown[]> {
  const events = await ledger.events({ limit: 1_000, types: ['limit_threshold', 'limit_reached'] })
  return events.map(({ at, type, data }) => ({ at, type, data })).toReversed()
}

async function exportUse(ledger: InternalUserLedger): Promise<unknown[]> {
  const rows = await Array.fromAsync(ledger.exportRows())
  // As in a file.
  return rows.filter(({ type }) => type === 'counter').map(({ value }) => JSON.parse(JSON.stringify(value)))
}

/** Two installations with the same configuration and clock. */
async function openTwo(): Promise<AsyncDisposable & { readonly from: LedgerHarness; readonly to: LedgerHarness }> {
  const from = await openLedgerHarness({ ...OPTIONS, driver: 'memory' })
  const to = await openLedgerHarness({ ...OPTIONS, driver: 'memory', clock: from.clock })
  return {
    from,
    to,
    async [Symbol.asyncDispose]() {
      await to[Symbol.asyncDispose]()
      await from[Symbol.asyncDispose]()
    },
  }
}

describe('use of limits that is imported', () => {
  it('goes on as in the installation that it comes from, without allowing or reporting anything twice', async () => {
    printSeed('imported use of limits')
    const history = fc.tuple(fc.array(STEP, { maxLength: 14 }), fc.array(STEP, { maxLength: 14 }))
    await fc.assert(
      fc.asyncProperty(history, async ([before, after]) => {
        await using two = await openTwo()
        const { from, to } = two
        for (const step of before) {
          from.clock.advance(step.afterMs)
          await take(from.user('ann'), step)
        }
        await to.user('ann').addNote('moved', { actor: 'eve' })
        const rows = await exportUse(from.internalUser('ann'))
        const { use } = to.internalUser('ann').imports
        const restored = await use(rows)
        assert.equal(await use(rows), restored)
        assert.deepEqual(await to.user('ann').limits(), await from.user('ann').limits())
        const reported = await reportsOf(from.user('ann'))
        assert.deepEqual(await reportsOf(to.user('ann')), [])
        for (const step of after) {
          from.clock.advance(step.afterMs)
          assert.deepEqual(await take(to.user('ann'), step), await take(from.user('ann'), step))
        }
        assert.deepEqual(await reportsOf(to.user('ann')), (await reportsOf(from.user('ann'))).slice(reported.length))
        assert.deepEqual(await to.user('ann').limits(), await from.user('ann').limits())
        assert.equal((await to.user('ann').verify()).ok, true)
      }),
      { seed, numRuns: rounds(2_000, 60) },
    )
  })

  it('raises what was used here, and lowers nothing', async () => {
    await using two = await openTwo()
    const { from, to } = two
    const step = { afterMs: 0, model: 'x/a', inputTokens: 4, outputTokens: 3 }
    for (let turn = 0; turn < 3; turn++) await take(from.user('ann'), step)
    await take(to.user('ann'), { ...step, outputTokens: 20 })
    await to.internalUser('ann').imports.use(await exportUse(from.internalUser('ann')))
    const used = (await to.user('ann').limits()).map(({ name, used: amount }) => [name, amount])
    assert.deepEqual(used, [
      ['daily', 3],
      ['week', 3],
      ['month', '0.000064'],
      ['first', 24],
      ['sliding', 20],
      ['rare', 3],
      ['none', 3],
    ])
  })

  it('is left out where the window is over, where it has not begun, and where the limit is another one', async () => {
    await using two = await openTwo()
    const { to } = two
    await to.user('ann').addNote('moved', { actor: 'eve' })
    const before = await to.user('ann').limits()
    const now = '2026-03-10T12:00:00Z'
    const row = (limit: string, counts: string, window: string, from = now) => ({
      ...{ limit, counts, window, from, value: counts.startsWith('cost') ? '1' : 1 },
    })
    const rows = [
      row('daily', 'turns day', '2026-03-09', '2026-03-09T12:00:00Z'),
      row('daily', 'turns day', '2026-03-12'),
      row('daily', 'turns day', '9999-12-31', '9999-12-31T00:00:00Z'),
      row('daily', 'turns day', 'zzzz'),
      row('daily', 'turns week', '2026-03-10'),
      row('week', 'turns week', '2026-03-10'),
      row('month', 'cost month', '2026-04'),
      row('first', 'tokens 5h', now, '2026-03-10T07:00:00Z'),
      row('first', 'tokens 5h', now, '2026-03-10T12:00:01Z'),
      row('sliding', 'outputTokens sliding:1h', now, '2026-03-10T10:58:00Z'),
      row('sliding', 'outputTokens sliding:1h', now, '2026-03-10T12:01:00Z'),
      row('rare', 'turns total', now),
      row('unknown', 'turns day', '2026-03-10'),
      row('__proto__', 'turns day', '2026-03-10'),
      { limit: 'inputTokens', window: '2026-03-10', value: 7 },
    ]
    assert.equal(await to.internalUser('ann').imports.use(rows), 0)
    assert.deepEqual(await to.user('ann').limits(), before)
  })

  it('belongs to the running day where the day of another zone has begun, so that no window is ahead', async () => {
    await using two = await openTwo()
    const { to } = two
    await to.user('ann').addNote('moved', { actor: 'eve' })
    const rows = [
      { limit: 'daily', counts: 'turns day', window: '2026-03-11', from: '2026-03-10T11:00:00Z', value: 6 },
      { limit: 'rare', counts: 'turns total ["x/*"]', window: 'x', from: '9999-01-01T00:00:00Z', value: 1 },
    ]
    assert.equal(await to.internalUser('ann').imports.use(rows), 2)
    const refused = await to.user('ann').admit()
    assert.equal(!refused.allowed && refused.retryAfterMs, 12 * 60 * MINUTE_MS)
    to.clock.advance(12 * 60 * MINUTE_MS)
    assert.equal((await to.user('ann').admit()).allowed, true)
  })

  it('is invalid with damaged values, which change nothing', async () => {
    await using two = await openTwo()
    const { to } = two
    await to.user('ann').addNote('moved', { actor: 'eve' })
    const valid = { limit: 'daily', counts: 'turns day', window: '2026-03-10', from: '2026-03-10T11:00:00Z', value: 1 }
    const { use } = to.internalUser('ann').imports
    const reject = (row: unknown, param: string): Promise<void> =>
      assert.rejects(use([valid, row]), (error: { code?: string; details?: { param?: string } }) => {
        assert.deepEqual([error.code, error.details?.param], ['argument_invalid', param])
        return true
      })
    for (const value of [-1, 1.5, Number.NaN, 1e300, '1', null, undefined, [1], { toString: () => '1' }])
      await reject({ ...valid, value }, 'value')
    for (const value of ['-1', '1e9', `${'9'.repeat(400)}`, '0.0000000001', {}, null])
      await reject({ ...valid, limit: 'month', counts: 'cost month', window: '2026-03', value }, 'value')
    for (const from of ['yesterday', 0, null, '2026-02-31T00:00:00Z']) await reject({ ...valid, from }, 'from')
    for (const reported of [{}, 'reached', new Array(17).fill('x')]) await reject({ ...valid, reported }, 'reported')
    await reject({ ...valid, reported: [1] }, 'reported[0]')
    await reject({ ...valid, limit: '' }, 'limit')
    await reject({ ...valid, counts: 'x'.repeat(65_537) }, 'counts')
    await assert.rejects(use(new Array(501).fill(valid)), { code: 'argument_invalid' })
    await assert.rejects(to.internalUser('ben').imports.use([valid]), { code: 'argument_invalid' })
    assert.equal((await to.user('ann').quota()).count, 0)
    assert.equal((await to.user('ben').bond()).exists, false)
    assert.equal(await use([{ ...valid, reported: ['x', '0.3', 'reached'], other: 1 }]), 1)
    assert.equal((await to.user('ann').quota()).count, 1)
  })
})
