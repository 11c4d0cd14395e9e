import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatLimitAmount, formatRemaining } from '../../src/api/limit-names.ts'

describe('amounts of a limit', () => {
  it('are whole numbers, and of costs always have four decimals', () => {
    assert.equal(formatLimitAmount({ measure: 'tokens' }, 1_600), '1,600')
    assert.equal(formatLimitAmount({ measure: 'cost' }, '1'), '1.0000')
    assert.equal(formatLimitAmount({ measure: 'cost' }, '0.00406'), '0.0041')
  })

  it('add up to the maximum as they are shown', () => {
    const cost = { measure: 'cost', max: '1.00', used: '0.00406', held: '0', remaining: '0.99594' }
    assert.equal(formatLimitAmount(cost, cost.used), '0.0041')
    assert.equal(formatRemaining(cost), '0.9959')
    assert.equal(formatRemaining({ ...cost, used: '1.2' }), '0.0000')
    assert.equal(formatRemaining({ measure: 'tokens', max: 1_600, used: 918, held: 226, remaining: 456 }), '456')
  })
})
