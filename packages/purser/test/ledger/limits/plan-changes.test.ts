import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Limit } from '../../../src/options.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { DRIVERS, openLedgerHarness } from '../../support/ledger-harness.ts'
import { createRandom } from './limited-turns.ts'

/*
 * Plans that change while turns are admitted and settled, in two processes: a change applies to every admission that is
 * asked for after it, and nothing that was used is lost.
 */

const tokens: Limit = { name: 'tokens', measure: 'tokens', max: 2_000, window: 'total' }
const turns: Limit = { name: 'turns', measure: 'turns', max: 40, window: 'total' }
const slots: Limit = { name: 'slots', measure: 'concurrent', max: 4 }
const PLANS = {
  free: { limits: [tokens, turns, slots] },
  pro: {
    limits: [
      { ...tokens, max: 20_000 },
      { ...turns, max: 400 },
      { ...slots, max: 30 },
    ],
  },
}
const MAX_EXCESS = 150
const TURNS_AT_ONCE = 20
const ROUNDS = rounds(60, 6)

for (const driver of DRIVERS) {
  test(`${driver}: a plan that changes under load applies at once, and use goes on`, async () => {
    printSeed(`plan changes in ${driver}`)
    const random = createRandom(seed)
    await using harness = await openLedgerHarness({ driver, plans: PLANS, plan: 'free' })
    await using peer = await harness.openPeer({
      store: harness.store,
      clock: harness.clock,
      plans: PLANS,
      plan: 'free',
    })
    const [ann, other] = [harness.user('ann'), peer.user('ann')]
    const settled = { tokens: 0, turns: 0, excess: 0 }
    let isOver = false

    const run = async (ledger: typeof ann): Promise<void> => {
      while (!isOver) {
        const estimate = { outputTokens: 1 + random(50) }
        const admission = await ledger.admit({ estimate })
        await new Promise((resolve) => setImmediate(resolve))
        if (!admission.allowed) continue
        const outputTokens = random(estimate.outputTokens + MAX_EXCESS)
        await ledger.settle(admission.ticket, { outputTokens })
        settled.turns++
        settled.tokens += outputTokens
        settled.excess += Math.max(0, outputTokens - estimate.outputTokens)
      }
    }
    const load = Array.from({ length: TURNS_AT_ONCE }, (_, index) => run(index % 2 === 0 ? ann : other))

    for (let round = 0; round < ROUNDS; round++) {
      const [changing, asking] = round % 2 === 0 ? [ann, other] : [other, ann]
      await changing.setPlan('pro', { actor: 'ana' })
      const allowed = (await asking.limits()).find(({ name }) => name === 'slots')
      assert.deepEqual([allowed?.max, allowed?.origin], [30, 'plan:pro'])
      for (let tick = 0; tick < random(30); tick++) await new Promise((resolve) => setImmediate(resolve))
      await changing.setPlan('free', { actor: 'ana' })
      const state = await asking.limits()
      const used = Number(state.find(({ name }) => name === 'tokens')?.used)
      assert.equal(state.find(({ name }) => name === 'slots')?.max, 4)
      // Under the smaller plan, what the larger one has let pass is more than enough to refuse.
      if (used >= 2_000) assert.equal((await asking.admit({ estimate: { outputTokens: 1 } })).allowed, false)
      const all = await Promise.all(Array.from({ length: 6 }, () => asking.admit({ estimate: { outputTokens: 1 } })))
      const admitted = all.flatMap((admission) => (admission.allowed ? [admission.ticket] : []))
      assert.ok(admitted.length <= 4, `${admitted.length} slots of 4`)
      for (const ticket of admitted) await asking.refund(ticket)
    }
    isOver = true
    await Promise.all(load)
    const [, ...states] = await ann.limits()
    const used = Object.fromEntries(states.map(({ name, used: amount }) => [name, Number(amount)]))
    assert.deepEqual(used, { tokens: settled.tokens, turns: settled.turns, slots: 0 })
    assert.ok(settled.turns <= 400 && settled.tokens <= 20_000 + settled.excess, JSON.stringify(settled))
    assert.ok(settled.turns > 0)
    assert.equal((await ann.verify()).ok, true)
  })
}
