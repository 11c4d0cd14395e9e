import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Limit, Plan } from '../../src/api/wire.ts'
import { rulesOf } from '../../src/pages/limits/plan-rules.ts'

function limitOf(name: string, max: number | null): Limit {
  return { name, measure: 'turns', max, window: 'day' }
}

function planOf(name: string, base: string | null, limits: readonly Limit[]): Plan {
  return { name, extends: base, limits, runtime: {}, isDefault: false }
}

const EVERY_USER = [limitOf('daily', 8), limitOf('hourly', 2)]
const PLUS = planOf('plus', null, [limitOf('daily', 60), limitOf('monthly', 900)])
const TEAM = planOf('team', 'plus', [limitOf('daily', null)])

function textOf(plan: Plan, plans: readonly Plan[]): readonly string[] {
  return rulesOf(plan, plans, EVERY_USER).map(({ limit, from }) => `${limit.name} ${limit.max} ${from ?? 'own'}`)
}

describe('the rules of a plan', () => {
  it('are its own, those of the plans that it extends, and those of every user, by name', () => {
    assert.deepEqual(textOf(TEAM, [PLUS, TEAM]), ['daily null own', 'monthly 900 plus', 'hourly 2 every user'])
    assert.deepEqual(textOf(PLUS, [PLUS, TEAM]), ['daily 60 own', 'monthly 900 own', 'hourly 2 every user'])
  })

  it('are all inherited where the plan has none', () => {
    const empty = planOf('empty', 'team', [])
    assert.deepEqual(textOf(empty, [PLUS, TEAM, empty]), ['daily null team', 'monthly 900 plus', 'hourly 2 every user'])
  })

  it('end where plans extend each other or one that is not there', () => {
    const loop = planOf('loop', 'loop', [])
    assert.deepEqual(textOf(loop, [loop]), ['daily 8 every user', 'hourly 2 every user'])
    assert.deepEqual(textOf(planOf('lost', 'gone', []), []), ['daily 8 every user', 'hourly 2 every user'])
  })
})
