import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Limit } from '../../../src/options.ts'
import { admitTurn, openLedgerHarness } from '../../support/ledger-harness.ts'

const LEASE_MS = 60_000
const TOKENS: Limit = { name: 'tokens', measure: 'tokens', max: 1_000, window: 'day' }
const SLOTS: Limit = { name: 'slots', measure: 'concurrent', max: 1 }
const estimate = { inputTokens: 100, outputTokens: 512 }

it('the process that runs a turn renews what it holds, and what a crash leaves is released after its lease', async () => {
  await using harness = await openLedgerHarness({ limits: [TOKENS, SLOTS] })
  const crashed = await harness.openPeer({ store: harness.store, clock: harness.clock })
  const turn = await admitTurn(crashed.internalUser('ann'), { model: 'openai/m', estimate })
  assert.ok(turn.allowed)
  const ann = harness.user('ann')
  for (let step = 0; step < 30; step++) {
    harness.clock.advance(LEASE_MS / 5)
    await crashed.user('ann').quota()
    assert.equal((await ann.admit()).allowed, false, `step ${step}`)
  }
  // A process that is gone renews nothing and settles nothing.
  await crashed[Symbol.asyncDispose]()
  harness.clock.advance(LEASE_MS)
  const [daily, tokens, slots] = await ann.limits()
  assert.deepEqual([daily?.used, tokens?.held, slots?.used], [1, 0, 0])
  assert.equal((await ann.admit()).allowed, true)
})

it('a late settlement counts in full', async () => {
  await using harness = await openLedgerHarness({ limits: [TOKENS] })
  const ann = harness.user('ann')
  const admission = await ann.admit({ estimate: { inputTokens: 900 } })
  assert.ok(admission.allowed)
  harness.clock.advance(2 * 3_600_000)
  const other = await ann.admit({ estimate: { inputTokens: 900 } })
  assert.ok(other.allowed)
  await ann.settle(admission.ticket, { inputTokens: 800 })
  await ann.settle(other.ticket, { inputTokens: 700 })
  assert.equal((await ann.limits())[1]?.used, 1_500)
})
