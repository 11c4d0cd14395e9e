import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createEffects } from '../../src/core/effects.ts'
import { createWallClock } from '../../src/core/wall-clock.ts'
import { handClock } from '../../src/testing/hand-clock.ts'

const DAY_MS = 86_400_000
const START = Date.parse('2026-03-10T12:00:00Z')

/** Plays steps of the wall clock, in days, with an hour of real time and a reading after each. */
function play(steps: readonly number[]): { wasWrongAt(days: number): boolean; readonly isSuspect: boolean } {
  const clock = handClock({ wall: START })
  const wall = createWallClock(clock)
  for (const days of steps) {
    clock.stepWall(days * DAY_MS)
    wall.now()
    clock.advance(1_800_000)
    wall.now()
    clock.advance(1_800_000)
  }
  return {
    wasWrongAt: (days) => wall.wasWrongAt(START + days * DAY_MS),
    get isSuspect() {
      return wall.isSuspect
    },
  }
}

describe('the history of a wall clock', () => {
  const cases: readonly (readonly [
    name: string,
    steps: readonly number[],
    wrong: readonly number[],
    right: readonly number[],
  ])[] = [
    ['without a jump', [0, 0], [], [0, 1, 365]],
    ['ahead and back', [365, -365], [365], [0, 300, 500]],
    ['ahead twice, then back', [10, 30, -40], [10, 40], [0, 25, 100]],
    ['ahead twice, back once', [10, 30, -30], [40], [10, 0]],
    ['ahead, and not back', [365], [], [365]],
    ['back only', [-365], [], [0, -365]],
    ['ahead, then back before everything', [10, -375], [], [10, 0]],
    ['back before everything, then right again', [-365, 365], [], [0, -365]],
    ['small corrections', [0.01, -0.01, 0.02], [], [0]],
  ]
  for (const [name, steps, wrong, right] of cases) {
    it(name, () => {
      const history = play(steps)
      for (const days of wrong) assert.equal(history.wasWrongAt(days), true, `${days} days`)
      for (const days of right) assert.equal(history.wasWrongAt(days), false, `${days} days`)
    })
  }

  it('is suspect after a leap, until the clock is set back or two days have passed', () => {
    assert.equal(play([0.5]).isSuspect, false)
    assert.equal(play([3]).isSuspect, true)
    assert.equal(play([3, -3]).isSuspect, false)
    assert.equal(play([3, ...Array(48).fill(0)]).isSuspect, false)
  })

  it('stays small however often the clock jumps', () => {
    const clock = handClock({ wall: START })
    const wall = createWallClock(clock)
    for (let jump = 0; jump < 1_000; jump++) {
      clock.stepWall(jump % 2 === 0 ? 100 * DAY_MS : -100 * DAY_MS)
      wall.now()
    }
    assert.equal(wall.wasWrongAt(START + 100 * DAY_MS), true)
  })
})

describe('an injected clock', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1, 8.64e15 + 1, undefined, '5', null, 5n, new Date()]) {
    it(`that returns ${String(value)} is rejected`, () => {
      const effects = createEffects({ now: () => value as number })
      assert.throws(() => effects.now(), { code: 'option_invalid' })
    })
  }

  it('may return 1970', () => {
    assert.equal(createEffects({ now: () => 0 }).now(), 0)
  })
})
