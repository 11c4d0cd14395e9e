import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Plan } from '../../src/api/wire.ts'
import { isMaximum, parseMaximum, proposeLimits, proposePlans } from '../../src/pages/limits/what-if.ts'

const tokens = { name: 'tokens', measure: 'tokens', max: 100, window: '5h' } as const
const cost = { name: 'cost', measure: 'cost', max: '2.00', window: 'month' } as const
const PLANS: readonly Plan[] = [
  { name: 'free', extends: null, limits: [tokens], runtime: {}, isDefault: true },
  { name: 'pro', extends: 'free', limits: [cost, tokens], runtime: { model: 'm' }, isDefault: false },
]

describe('what if', () => {
  it('proposes the plans as they are configured, with other maxima in one', () => {
    assert.deepEqual(proposePlans(PLANS, 'pro', { cost: '0.5', tokens: '' }), {
      free: { limits: [tokens] },
      pro: {
        extends: 'free',
        runtime: { model: 'm' },
        limits: [
          { ...cost, max: '0.5' },
          { ...tokens, max: null },
        ],
      },
    })
    assert.deepEqual(proposePlans(PLANS, 'free', {}), {
      free: { limits: [tokens] },
      pro: { extends: 'free', runtime: { model: 'm' }, limits: [cost, tokens] },
    })
  })

  it('proposes the rules of every user with other maxima', () => {
    assert.deepEqual(proposeLimits([tokens, cost], { tokens: '7' }), [{ ...tokens, max: 7 }, cost])
  })

  it('reads whole numbers, costs as text and nothing as no limit', () => {
    assert.deepEqual(
      [parseMaximum(' 12 ', 'tokens'), parseMaximum('1.50', 'cost'), parseMaximum('', 'cost')],
      [12, '1.50', null],
    )
    const valid = ['', '0', '12', ' 7 '].map((text) => isMaximum(text, 'turns'))
    assert.deepEqual(valid, [true, true, true, true])
    for (const text of ['1.5', '-1', 'x', '1e3']) assert.equal(isMaximum(text, 'turns'), false, text)
    assert.deepEqual([isMaximum('1.5', 'cost'), isMaximum('1.', 'cost'), isMaximum('-1', 'cost')], [true, false, false])
  })
})
