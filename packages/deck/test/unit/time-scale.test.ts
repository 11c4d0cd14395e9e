import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createTimeScale } from '../../src/pages/user/time-scale.ts'

const DAY_MS = 86_400_000
const END = 60 * DAY_MS

describe('time scale', () => {
  it('is linear without exceptional gaps', () => {
    const scale = createTimeScale([25, 50, 75], { from: 0, to: 100 })
    assert.deepEqual([0, 10, 50, 100].map(scale.position), [0, 0.1, 0.5, 1])
    assert.deepEqual(scale.gaps, [])
  })

  it('compresses a month without events', () => {
    const instants = [1, 2, 3, 33, 34].map((day) => day * DAY_MS)
    const scale = createTimeScale(instants, { from: 0, to: 35 * DAY_MS })
    assert.deepEqual(
      scale.gaps.map(({ from, to }) => [from, to]),
      [[3 * DAY_MS, 33 * DAY_MS]],
    )
    const [gap] = scale.gaps
    assert.ok(gap !== undefined && gap.end - gap.start < 0.1)
    assert.ok(
      scale.position(34 * DAY_MS) - scale.position(33 * DAY_MS) > 0.15,
      'the days with events get the freed width',
    )
  })

  it('does not compress gaps under an hour', () => {
    assert.deepEqual(createTimeScale([1, 2, 3, 4], { from: 0, to: 3_000_000 }).gaps, [])
  })

  it('preserves the order of instants, stays between 0 and 1 and has at most three gaps', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: END + 50 }), { maxLength: 40 }), (instants) => {
        const scale = createTimeScale(instants, { from: 0, to: END })
        const positions = [...instants, 0, END].sort((a, b) => a - b).map(scale.position)
        positions.forEach((position, index) => {
          assert.ok(position >= 0 && position <= 1 + 1e-9)
          assert.ok(position >= (positions[index - 1] ?? 0) - 1e-9)
        })
        assert.ok(scale.gaps.length <= 3)
      }),
    )
  })
})
