import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createTimeScale } from '../../src/pages/user/time-scale.ts'

const DAY = 86_400_000
const END = 60 * DAY

describe('the scale of the timeline', () => {
  it('is true to time where nothing is unusually quiet', () => {
    const scale = createTimeScale([25, 50, 75], { from: 0, to: 100 })
    assert.deepEqual([0, 10, 50, 100].map(scale.position), [0, 0.1, 0.5, 1])
    assert.deepEqual(scale.gaps, [])
  })

  it('draws a month of silence short and says where', () => {
    const moments = [DAY, 2 * DAY, 3 * DAY, 33 * DAY, 34 * DAY]
    const scale = createTimeScale(moments, { from: 0, to: 35 * DAY })
    assert.deepEqual(
      scale.gaps.map(({ from, to }) => [from, to]),
      [[3 * DAY, 33 * DAY]],
    )
    const [fold] = scale.gaps
    assert.ok(fold !== undefined && fold.end - fold.start < 0.1)
    assert.ok(scale.position(34 * DAY) - scale.position(33 * DAY) > 0.15, 'the busy days get the room')
  })

  it('leaves seconds and minutes alone', () => {
    assert.deepEqual(createTimeScale([1, 2, 3, 4], { from: 0, to: 3_000_000 }).gaps, [])
  })

  it('keeps the order of instants and stays within the line, whatever happened when', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: END + 50 }), { maxLength: 40 }), (moments) => {
        const scale = createTimeScale(moments, { from: 0, to: END })
        const places = [...moments, 0, END].sort((a, b) => a - b).map(scale.position)
        places.forEach((place, index) => {
          assert.ok(place >= 0 && place <= 1 + 1e-9)
          assert.ok(place >= (places[index - 1] ?? 0) - 1e-9)
        })
        assert.ok(scale.gaps.length <= 3)
      }),
    )
  })
})
